import type { WorkerProfile } from "@pixii/wire";

/** A made worker: a prompt token takes 1 ms and a prompt 10, a step 30 and 4 a sequence, a thousandth a token of context. */
export const madeProfile: WorkerProfile = {
  version: 1,
  ...{ model: "m", modelDigest: "0", engine: "sim", engineVersion: "0", machine: "none" },
  ...{ measuredAt: "2026-01-01T00:00:00Z", about: "made up", blockSize: 64 },
  prefill: { newTokens: [0, 10_000], contextTokens: [0], ms: [[10], [10_010]] },
  decode: { sequences: [1, 64], contextTokens: [0, 10_000], ms: [[34, 44], [286, 926]] },
  onboardBlockMs: {},
};
