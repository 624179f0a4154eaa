import type { WorkerProfile } from "./worker_profile.ts";

/** A small profile whose tables are planes: 1 + newTokens / 10 + contextTokens / 1000 and 2 + sequences + contextTokens / 100. */
export const sampleProfile: WorkerProfile = {
  version: 1,
  model: "org/name",
  modelDigest: "ab",
  engine: "llama",
  engineVersion: "1.0.0",
  machine: "two cores",
  measuredAt: "2026-01-01T00:00:00Z",
  about: "1 thread",
  blockSize: 64,
  prefill: { newTokens: [10, 100], contextTokens: [0, 1000], ms: [[2, 3], [11, 12]] },
  decode: { sequences: [1, 4], contextTokens: [0, 1000], ms: [[3, 13], [6, 16]] },
  onboardBlockMs: { host: 0.25 },
};
