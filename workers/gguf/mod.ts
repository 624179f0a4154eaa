/**
 * GGUF files: the reader of headers, and the writer that tests and model scripts use.
 * @module
 */
export * from "./kv_bytes.ts";
export * from "./reader.ts";
export * from "./writer.ts";
