import { placementTermsText } from "@pixii/wire";
import { commonOptions, option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";

/** The worker's options. */
export const workerSchema = {
  ...commonOptions,
  "model": option.text({
    fallback: "",
    placeholder: "PATH",
    help:
      "GGUF file to serve (required); sim reads its vocabulary only and takes a folder with tokenizer.json too",
  }),
  "served-name": option.text({
    fallback: "",
    placeholder: "NAME",
    help: "name clients use; empty = the file's stem",
  }),
  "engine": option.choice(["llama", "sim"], {
    fallback: "llama",
    help: "engine behind the worker: llama.cpp, or a simulation that needs no weights",
  }),
  "ranks": option.integer({
    fallback: 1,
    min: 1,
    max: 1024,
    help:
      "data-parallel ranks, each an engine of its own in this process; more than 1 with sim only",
  }),
  "role": option.choice(["both", "prefill", "decode"], {
    fallback: "both",
    help:
      "which phase of requests it takes: prefill = prompts of others, decode = answers; needs a kvbm to hand over by",
  }),
  "role.timeout": option.duration({
    fallback: 60_000,
    min: 100,
    max: 3_600_000,
    help:
      "longest change of role while it runs: when work of the old kind has not ended by then, the old role stays",
  }),
  "labels": option.text({
    fallback: "",
    placeholder: "KEY=VALUE,…",
    help: "what requests may require of the worker (x-pixii-require); KEY alone will do",
    pattern: placementTermsText,
    rule: "must be at most 16 of KEY or KEY=VALUE with commas between",
  }),
  "taints": option.text({
    fallback: "",
    placeholder: "KEY=VALUE,…",
    help: "keeps requests away that do not tolerate each (x-pixii-tolerate); KEY alone will do",
    pattern: placementTermsText,
    rule: "must be at most 16 of KEY or KEY=VALUE with commas between",
  }),
  "max-seqs": option.integer({
    fallback: 8,
    min: 1,
    max: 4096,
    help: "sequences in the running batch; llama takes at most 192",
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
  "kv-type": option.choice(["f16", "q8_0"], {
    fallback: "f16",
    help:
      "how llama stores K and V: q8_0 takes half the memory, is slower on a CPU, and its blocks are never mixed with f16's",
  }),
  "kv-kept": option.integer({
    fallback: 24,
    min: 0,
    max: 64,
    help:
      "finished prompts that llama keeps in its cache beside the running ones; with 0 and --max-seqs 1 every prompt lies at the cache's beginning, so that nothing depends on what ran before",
  }),
  "deterministic": option.flag({
    fallback: false,
    help: "reuse only KV that was computed by prefill",
  }),
  "kvbm": option.text({
    fallback: "auto",
    placeholder: "auto|off|PATH",
    help:
      "host tier of its KV: auto = the kvbm of this host in the registry, PATH = a kvbm's socket",
    pattern: /^(auto|off|\/.+)$/,
    rule: "must be auto, off or an absolute path",
  }),
  "cache": option.text({
    fallback: "",
    placeholder: "FOLDER",
    help: "where the model's digest is remembered; empty = it is computed at every start",
  }),
  "profile": option.text({
    fallback: "",
    placeholder: "PATH",
    help: "what `deno task profile` measured of this worker: goes on its card, for the router",
  }),
  "hang-timeout": option.duration({
    fallback: 60_000,
    min: 1_000,
    max: 3_600_000,
    help: "an engine step longer than this ends the worker with an error",
  }),
  "sim.speed": option.number({
    fallback: 1,
    min: 0.01,
    max: 1_000_000,
    infinite: true,
    placeholder: "X",
    help: "how much faster than the modelled machine; inf = no waiting at all",
  }),
  "sim.profile": option.text({
    fallback: "",
    placeholder: "PATH",
    help:
      "measured step times, as `deno task profile` writes them; empty = Dynamo mocker's polynomials",
  }),
  "sim.block-size": option.integer({
    fallback: 64,
    min: 1,
    max: 4096,
    help: "tokens of a KV block; 64 = llama's, so that one list of hashes serves both engines",
  }),
  "sim.blocks": option.integer({
    fallback: 16_384,
    min: 1,
    max: 16_777_216,
    help: "KV blocks of the device tier, per rank",
  }),
  "sim.host-blocks": option.integer({
    fallback: 0,
    min: 0,
    max: 16_777_216,
    help: "KV blocks of the modelled host tier, per rank; 0 = none",
  }),
  "sim.batch-tokens": option.integer({
    fallback: 8192,
    min: 1,
    max: 1_048_576,
    help: "tokens of one step over all sequences; longer prompts are computed in chunks",
  }),
  "sim.chunk-tokens": option.integer({
    fallback: 0,
    min: 0,
    max: 1_048_576,
    help: "tokens of one prompt in a step; 0 = as many as the step has (64 = llama's)",
  }),
  "sim.max-prefills": option.integer({
    fallback: 0,
    min: 0,
    max: 4096,
    help: "prompts that are computed at a time; 0 = any number (1 = llama's)",
  }),
} as const;

/** The worker's config. */
export type WorkerConfig = ConfigOf<typeof workerSchema>;
