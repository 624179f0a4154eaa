import type { WorkerProfile } from "@pixii/wire";

/** A small measured profile; `ms` is its slowness: the time of 10 new tokens. */
export function workerProfileOf(ms: number): WorkerProfile {
  return {
    ...{ version: 1, model: "m", modelDigest: "d", engine: "sim", engineVersion: "1" },
    ...{ machine: "none", measuredAt: "2026-01-01T00:00:00Z", about: "", blockSize: 16 },
    prefill: {
      newTokens: [10, 100],
      contextTokens: [0, 1000],
      ms: [[ms, 2 * ms], [9 * ms, 11 * ms]],
    },
    decode: { sequences: [1, 4], contextTokens: [0, 1000], ms: [[1, 2], [3, 4]] },
    onboardBlockMs: { host: 0.3 },
  };
}
