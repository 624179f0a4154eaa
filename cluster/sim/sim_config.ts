import { option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import { faultKinds } from "./core/fault.ts";

/** Options of `deno task sim`. */
export const simSchema = {
  seed: option.integer({
    fallback: 1,
    min: 0,
    max: 0xffff_ffff,
    help: "Of everything that is left to chance. The same seed gives the same log, byte for byte.",
  }),
  trace: option.text({
    fallback: "synthetic",
    placeholder: "FILE",
    help: "Mooncake's JSON lines, Azure's CSV, or synthetic: made from the seed.",
  }),
  minutes: option.number({
    fallback: 10,
    min: 0.01,
    max: 10_000,
    help: "Virtual minutes of requests and faults; what the trace has beyond is left out.",
  }),
  rate: option.number({
    fallback: 0.3,
    min: 0.001,
    max: 10_000,
    help: "Synthetic trace: mean requests a second.",
  }),
  output: option.integer({
    fallback: 32,
    min: 1,
    max: 100_000,
    help: "Synthetic trace: most tokens of an answer.",
  }),
  pace: option.number({
    fallback: 1,
    min: 0.001,
    max: 1_000,
    help: "How much faster than recorded a trace's requests come.",
  }),
  workers: option.integer({
    fallback: 2,
    min: 0,
    max: 256,
    help: "Workers that take prompts and answer them.",
  }),
  prefill: option.integer({
    fallback: 0,
    min: 0,
    max: 256,
    help: "And workers that compute prompts for others.",
  }),
  decode: option.integer({
    fallback: 0,
    min: 0,
    max: 256,
    help: "And workers that only answer.",
  }),
  frontends: option.integer({ fallback: 1, min: 1, max: 64, help: "Frontends." }),
  routers: option.integer({ fallback: 1, min: 0, max: 16, help: "Routers; 0 = none at all." }),
  planners: option.integer({ fallback: 1, min: 0, max: 4, help: "Planners." }),
  faults: option.text({
    fallback: "",
    placeholder: "A,B,...",
    help: `What goes wrong, parted by commas: ${faultKinds.join(", ")}, or all.`,
  }),
  "fault-every": option.duration({
    fallback: 20_000,
    min: 100,
    max: 3_600_000,
    help: "Mean time between two faults.",
  }),
  "orders-every": option.duration({
    fallback: 0,
    min: 0,
    max: 3_600_000,
    help:
      "Planners act, and operators pin, pause and veto at random, so that roles change: mean time between two orders; 0 = none.",
  }),
  schedule: option.text({
    fallback: "",
    placeholder: "FILE|TEXT",
    help:
      "Exactly these faults instead: AT_MS KIND TARGET FOR_MS AMOUNT, on lines of their own or parted by ;",
  }),
  blocks: option.integer({
    fallback: 192,
    min: 8,
    max: 16_777_216,
    help: "KV blocks of each worker rank, of 64 tokens.",
  }),
  "host-blocks": option.integer({
    fallback: 0,
    min: 0,
    max: 1_048_576,
    help:
      "KV blocks of a host tier that all workers share, in the books of the real block manager; 0 = none.",
  }),
  "max-seqs": option.integer({
    fallback: 8,
    min: 1,
    max: 4096,
    help: "Sequences in the running batch of a rank.",
  }),
  ranks: option.integer({ fallback: 1, min: 1, max: 64, help: "Ranks of each worker." }),
  ctx: option.integer({
    fallback: 0,
    min: 0,
    max: 1_048_576,
    help:
      "Most tokens of prompt plus output; 0 = what the blocks hold, up to 2048. Longer prompts are cut.",
  }),
  deadline: option.duration({
    fallback: 60_000,
    min: 1_000,
    max: 3_600_000,
    help: "Longest a request may take.",
  }),
  cancels: option.number({
    fallback: 0.05,
    min: 0,
    max: 1,
    help: "Part of the clients that go away before the end.",
  }),
  stops: option.number({
    fallback: 0.1,
    min: 0,
    max: 1,
    help: "Part of the requests with a stop token.",
  }),
  router: option.list({
    fallback: [],
    placeholder: "NAME=VALUE",
    help: "An option of the routers, like policy=ttft.",
  }),
  worker: option.list({
    fallback: [],
    placeholder: "NAME=VALUE",
    help: "An option of the workers, like sim.chunk-tokens=64.",
  }),
  planner: option.list({
    fallback: [],
    placeholder: "NAME=VALUE",
    help: "An option of the planners.",
  }),
  minimise: option.integer({
    fallback: 40,
    min: 0,
    max: 10_000,
    help: "After a failure: most runs that look for fewer faults that still show it; 0 = none.",
  }),
  log: option.text({
    fallback: "",
    placeholder: "FILE",
    help: "Writes everything that happens there, every message included.",
  }),
  json: option.flag({ fallback: false, help: "Prints JSON lines: a summary, and figures." }),
} as const;

/** The options, parsed. */
export type SimConfig = ConfigOf<typeof simSchema>;
