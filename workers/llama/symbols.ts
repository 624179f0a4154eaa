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
  llama_memory_seq_pos_min: { parameters: [P, "i32"], result: "i32" },
  llama_memory_seq_cp: { parameters: [P, "i32", "i32", "i32", "i32"], result: "void" },
  llama_state_seq_get_size: { parameters: [P, "i32"], result: "usize" },
  llama_state_seq_get_data: { parameters: [P, P, "usize", "i32"], result: "usize" },
  llama_state_seq_set_data: { parameters: [P, P, "usize", "i32"], result: "usize" },
  llama_decode: {
    parameters: [P, { struct: ["u64", "u64", "u64", "u64", "u64", "u64", "u64"] }],
    result: "i32",
  },
  llama_get_logits_ith: { parameters: [P, "i32"], result: P },
  llama_model_get_vocab: { parameters: [P], result: P },
  llama_vocab_n_tokens: { parameters: [P], result: "i32" },
  llama_tokenize: {
    parameters: [P, "buffer", "i32", "buffer", "i32", "bool", "bool"],
    result: "i32",
  },
  llama_token_to_piece: { parameters: [P, "i32", "buffer", "i32", "i32", "bool"], result: "i32" },
  llama_vocab_is_eog: { parameters: [P, "i32"], result: "bool" },
  llama_model_n_ctx_train: { parameters: [P], result: "i32" },
  llama_model_n_swa: { parameters: [P], result: "i32" },
  llama_model_is_recurrent: { parameters: [P], result: "bool" },
  llama_model_is_hybrid: { parameters: [P], result: "bool" },
  llama_model_has_encoder: { parameters: [P], result: "bool" },
  llama_model_has_decoder: { parameters: [P], result: "bool" },
} as const satisfies Deno.ForeignLibraryInterface;

/** ggml functions used here. */
export const ggmlSymbols = {
  ggml_backend_load_all_from_path: { parameters: ["buffer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The C library of one platform. */
export interface LibcNames {
  readonly file: string;
  /** Says 0 while the byte it is given is 0: an abort callback without a callback. */
  readonly strlen: string;
  /** Ignores its arguments and has no effect: a log callback that says nothing. */
  readonly silence: string;
  /** Sets a variable of the process. */
  readonly setVariable: string;
}

/** The C library by `Deno.build.os`. */
export const libcNames: Readonly<Record<string, LibcNames>> = {
  linux: { file: "libc.so.6", strlen: "strlen", silence: "getpid", setVariable: "setenv" },
  darwin: { file: "libSystem.dylib", strlen: "strlen", silence: "getpid", setVariable: "setenv" },
  windows: {
    file: "ucrtbase.dll",
    strlen: "strlen",
    silence: "_getpid",
    setVariable: "_putenv_s",
  },
};

/** The opened llama library. */
export type Llama = Deno.DynamicLibrary<typeof llamaSymbols>["symbols"];
