import { option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";

/** Options of `deno task sim:sweep`. */
export const sweepSchema = {
  seeds: option.integer({
    fallback: 100,
    min: 1,
    max: 10_000_000,
    help: "Runs, each of another seed and another small cluster.",
  }),
  from: option.integer({
    fallback: 1,
    min: 0,
    max: 0xffff_ffff,
    help: "First seed.",
  }),
  minutes: option.number({
    fallback: 10,
    min: 0.01,
    max: 10_000,
    help: "Virtual minutes of each.",
  }),
  jobs: option.integer({ fallback: 2, min: 1, max: 256, help: "Processes that share the seeds." }),
  part: option.text({
    fallback: "",
    placeholder: "I/N",
    help: "Only every Nth seed, from the Ith on: what a job does.",
    pattern: /^(\d+\/\d+)?$/,
    rule: "must be I/N",
  }),
  "stop-after": option.integer({
    fallback: 10,
    min: 1,
    max: 1_000_000,
    help: "Ends after so many seeds that failed, in each job.",
  }),
  json: option.flag({
    fallback: false,
    help: "Prints JSON lines: what failed, a summary, a figure.",
  }),
} as const;

/** The options, parsed. */
export type SweepConfig = ConfigOf<typeof sweepSchema>;
