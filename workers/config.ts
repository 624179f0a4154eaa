import { commonOptions, option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";

/** The worker's options. */
export const workerSchema = {
  ...commonOptions,
  "model": option.text({
    fallback: "",
    placeholder: "PATH",
    help: "GGUF file to serve (required)",
  }),
  "served-name": option.text({
    fallback: "",
    placeholder: "NAME",
    help: "name clients use; empty = the file's stem",
  }),
  "engine": option.choice(["llama"], {
    fallback: "llama",
    help: "engine behind the worker",
  }),
  "role": option.choice(["both"], {
    fallback: "both",
    help: "which phase of requests it takes",
  }),
  "max-seqs": option.integer({
    fallback: 8,
    min: 1,
    max: 192,
    help: "sequences in the running batch",
  }),
  "max-waiting": option.integer({
    fallback: 256,
    min: 0,
    max: 65_536,
    help: "requests waiting for a place; over it a request is refused with `overloaded`",
  }),
  "threads": option.integer({
    fallback: 1,
    min: 1,
    max: 256,
    help: "compute threads; never more than cores that are really free",
  }),
  "ctx": option.integer({
    fallback: 0,
    min: 0,
    max: 1_048_576,
    help: "most tokens of prompt plus output; 0 = the model's, up to 8192",
  }),
  "kv-tokens": option.integer({
    fallback: 0,
    min: 0,
    max: 1_048_576,
    help: "KV cells shared by all sequences; 0 = as many as ctx",
  }),
  "deterministic": option.flag({
    fallback: false,
    help: "reuse only KV that was computed by prefill",
  }),
  "cache": option.text({
    fallback: "",
    placeholder: "FOLDER",
    help: "where the model's digest is remembered; empty = it is computed at every start",
  }),
  "hang-timeout": option.duration({
    fallback: 60_000,
    min: 1_000,
    max: 3_600_000,
    help: "an engine step longer than this ends the worker with an error",
  }),
} as const;

/** The worker's config. */
export type WorkerConfig = ConfigOf<typeof workerSchema>;
