import { WorkerTimes } from "@pixii/wire";
import type { WorkerProfile } from "@pixii/wire";
import type { GovernedWorld } from "./governors.ts";

const promptTokens = [16, 256, 1_024, 4_096, 16_384, 65_536];
const sequences = [1, 4, 16, 64];
const contexts = [256, 1_024, 4_096, 16_384];

/** A worker of moderate speed: a prompt token a millisecond at first, steps of 30 ms and 4 ms a sequence. */
const profile: WorkerProfile = {
  version: 1,
  ...{ model: "bench", modelDigest: "0", engine: "sim", engineVersion: "0", machine: "none" },
  ...{ measuredAt: "2026-01-01T00:00:00Z", about: "made up for bench:planner", blockSize: 64 },
  prefill: {
    newTokens: promptTokens,
    contextTokens: [0],
    ms: promptTokens.map((n) => [20 + n + n * n / 60_000]),
  },
  decode: {
    sequences,
    contextTokens: contexts,
    ms: sequences.map((b) => contexts.map((c) => 30 + 4 * b + b * c / 1_000)),
  },
  onboardBlockMs: {},
};

/** What the fleet's workers are and what is promised of them, in one sentence. */
export const aboutWorld =
  "a worker prefills n tokens in 20 + n + n²/60000 ms and decodes a step of b sequences with c tokens of context each in " +
  "30 + 4b + bc/1000 ms, at most 64; the promise is a first token within 8 s, queue included, and 100 ms per further token";

/** The workers that loads are planned for, with this time to start and to change a job. */
export function worldOf(
  times: { readonly startMs: number; readonly flipMs: number },
): GovernedWorld {
  return {
    ...times,
    times: new WorkerTimes(profile),
    goal: { ttftMs: 8_000, itlMs: 100 },
    ...{ maxSeqs: 64, kvTokens: 131_072, budgetGpus: 200 },
  };
}
