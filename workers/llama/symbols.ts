const P = "pointer";

/** 256 bytes of u64: larger than any params struct, so a callee that knows less or more never overwrites anything. */
const oversized = { struct: Array.from({ length: 32 }, () => "u64" as const) } as const;

/** llama.cpp functions used here, with their C signatures. */
export const llamaSymbols = {
  llama_version: { parameters: [], result: P },
  llama_backend_init: { parameters: [], result: "void" },
  llama_log_set: { parameters: [P, P], result: "void" },
  llama_model_default_params: { parameters: [], result: oversized },
  llama_context_default_params: { parameters: [], result: oversized },
  llama_model_load_from_file: { parameters: ["buffer", oversized], result: P },
  llama_model_free: { parameters: [P], result: "void" },
  llama_init_from_model: { parameters: [P, oversized], result: P },
  llama_free: { parameters: [P], result: "void" },
  llama_n_ctx: { parameters: [P], result: "u32" },
  llama_n_batch: { parameters: [P], result: "u32" },
  llama_n_ubatch: { parameters: [P], result: "u32" },
  llama_n_seq_max: { parameters: [P], result: "u32" },
  llama_get_memory: { parameters: [P], result: P },
  llama_memory_seq_rm: { parameters: [P, "i32", "i32", "i32"], result: "bool" },
  llama_memory_seq_cp: { parameters: [P, "i32", "i32", "i32", "i32"], result: "void" },
  llama_decode: {
    parameters: [P, { struct: ["u64", "u64", "u64", "u64", "u64", "u64", "u64"] }],
    result: "i32",
  },
  llama_get_logits_ith: { parameters: [P, "i32"], result: P },
  llama_model_get_vocab: { parameters: [P], result: P },
  llama_vocab_n_tokens: { parameters: [P], result: "i32" },
  llama_vocab_is_eog: { parameters: [P, "i32"], result: "bool" },
  llama_model_n_ctx_train: { parameters: [P], result: "i32" },
  llama_model_n_layer: { parameters: [P], result: "i32" },
  llama_model_n_head_kv: { parameters: [P], result: "i32" },
  llama_model_n_head: { parameters: [P], result: "i32" },
  llama_model_n_embd: { parameters: [P], result: "i32" },
  llama_model_n_swa: { parameters: [P], result: "i32" },
  llama_model_is_recurrent: { parameters: [P], result: "bool" },
  llama_model_is_hybrid: { parameters: [P], result: "bool" },
  llama_model_has_encoder: { parameters: [P], result: "bool" },
} as const satisfies Deno.ForeignLibraryInterface;

/** ggml functions used here. */
export const ggmlSymbols = {
  ggml_backend_load_all_from_path: { parameters: ["buffer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** libc: `strlen` as abort callback, `getpid` as a log callback that says nothing. */
export const libcSymbols = {
  strlen: { type: P },
  getpid: { type: P },
} as const satisfies Deno.ForeignLibraryInterface;

/** The opened llama library. */
export type Llama = Deno.DynamicLibrary<typeof llamaSymbols>["symbols"];
