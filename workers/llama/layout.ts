/** Where a struct's fields are, in bytes, and the values `llama_*_default_params` must give there. */
export interface StructLayout {
  readonly bytes: number;
  readonly fields: Readonly<
    Record<string, readonly [offset: number, kind: FieldKind, fallback: number]>
  >;
}

/** How a field is stored. */
export type FieldKind = "i32" | "u32" | "f32" | "u8" | "ptr";

/** The layouts of one llama.cpp version. */
export interface LibraryLayout {
  readonly version: string;
  readonly model: StructLayout;
  readonly context: StructLayout;
}

const model: StructLayout = {
  bytes: 80,
  fields: {
    devices: [0, "ptr", 0],
    tensor_buft_overrides: [8, "ptr", 0],
    n_gpu_layers: [16, "i32", -1],
    split_mode: [20, "i32", 1],
    load_mode: [24, "i32", -1],
    lazy_mode: [28, "i32", 1],
    main_gpu: [32, "i32", 0],
    tensor_split: [40, "ptr", 0],
    progress_callback: [48, "ptr", 0],
    progress_user_data: [56, "ptr", 0],
    kv_overrides: [64, "ptr", 0],
    vocab_only: [72, "u8", 0],
    check_tensors: [73, "u8", 0],
    use_extra_bufts: [74, "u8", 1],
    no_host: [75, "u8", 0],
    no_alloc: [76, "u8", 0],
    load_mtp: [77, "u8", 0],
  },
};

const context: StructLayout = {
  bytes: 160,
  fields: {
    n_ctx: [0, "u32", 512],
    n_batch: [4, "u32", 2048],
    n_ubatch: [8, "u32", 512],
    n_seq_max: [12, "u32", 1],
    n_rs_seq: [16, "u32", 0],
    n_outputs_max: [20, "u32", 0],
    n_outputs_max_per_seq: [24, "u32", 1],
    n_threads: [28, "i32", 4],
    n_threads_batch: [32, "i32", 4],
    ctx_type: [36, "i32", 0],
    rope_scaling_type: [40, "i32", -1],
    pooling_type: [44, "i32", -1],
    attention_type: [48, "i32", -1],
    flash_attn_type: [52, "i32", -1],
    rope_freq_base: [56, "f32", 0],
    rope_freq_scale: [60, "f32", 0],
    yarn_ext_factor: [64, "f32", -1],
    yarn_attn_factor: [68, "f32", -1],
    yarn_beta_fast: [72, "f32", -1],
    yarn_beta_slow: [76, "f32", -1],
    yarn_orig_ctx: [80, "u32", 0],
    defrag_thold: [84, "f32", -1],
    cb_eval: [88, "ptr", 0],
    cb_eval_user_data: [96, "ptr", 0],
    type_k: [104, "i32", 1],
    type_v: [108, "i32", 1],
    abort_callback: [112, "ptr", 0],
    abort_callback_data: [120, "ptr", 0],
    embeddings: [128, "u8", 0],
    offload_kqv: [129, "u8", 1],
    no_perf: [130, "u8", 1],
    op_offload: [131, "u8", 1],
    swa_full: [132, "u8", 1],
    kv_unified: [133, "u8", 0],
    samplers: [136, "ptr", 0],
    n_samplers: [144, "ptr", 0],
    ctx_other: [152, "ptr", 0],
  },
};

/** Known layouts, by what `llama_version()` says before any `-`. 0.4.0 is the newest package on macOS and Windows. */
export const layouts: Readonly<Record<string, LibraryLayout>> = {
  "0.5.0": { version: "0.5.0", model, context },
  "0.4.0": { version: "0.4.0", model, context },
};

/** Reads a field. */
export function readField(bytes: Uint8Array, field: readonly [number, FieldKind, number]): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [offset, kind] = field;
  if (kind === "i32") return view.getInt32(offset, true);
  if (kind === "u32") return view.getUint32(offset, true);
  if (kind === "f32") return view.getFloat32(offset, true);
  if (kind === "u8") return view.getUint8(offset);
  return Number(view.getBigUint64(offset, true));
}

/** Writes a field. Pointers come as addresses. */
export function writeField(
  bytes: Uint8Array,
  field: readonly [number, FieldKind, number],
  value: number | bigint,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [offset, kind] = field;
  if (kind === "i32") view.setInt32(offset, Number(value), true);
  else if (kind === "u32") view.setUint32(offset, Number(value), true);
  else if (kind === "f32") view.setFloat32(offset, Number(value), true);
  else if (kind === "u8") view.setUint8(offset, Number(value));
  else view.setBigUint64(offset, BigInt(value), true);
}

/**
 * A struct to pass by value: the library's own defaults with some fields set, zeros behind it. Longer than any version's
 * struct, so that a library that knows more reads nothing foreign.
 */
export function patchedDefaults(
  defaults: Uint8Array,
  layout: StructLayout,
  values: Readonly<Record<string, number | bigint>>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(256);
  bytes.set(defaults.subarray(0, layout.bytes));
  for (const [name, value] of Object.entries(values)) writeField(bytes, layout.fields[name], value);
  return bytes;
}

/** Names of the fields whose default differs from the table, with both values, and of bytes behind the struct that are set. */
export function differences(bytes: Uint8Array, layout: StructLayout): string[] {
  const found: string[] = [];
  for (const [name, field] of Object.entries(layout.fields)) {
    const value = readField(bytes, field);
    if (value !== field[2]) found.push(`${name} is ${value}, expected ${field[2]}`);
  }
  const behind = bytes.findIndex((byte, at) => at >= layout.bytes && byte !== 0);
  if (behind >= 0) found.push(`byte ${behind} is set, the struct has ${layout.bytes}`);
  return found;
}
