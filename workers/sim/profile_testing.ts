import type { WorkerProfile } from "@pixii/wire";

/** A profile of straight lines through the origin: `prefillMs` a prompt token, `decodeMs` a step, `hostMs` a block of 16. */
export function flatProfile(
  ms: { readonly prefillMs: number; readonly decodeMs: number; readonly hostMs?: number },
): WorkerProfile {
  return {
    version: 1,
    model: "m",
    modelDigest: "ab",
    engine: "sim",
    engineVersion: "1",
    machine: "none",
    measuredAt: "2026-01-01T00:00:00Z",
    about: "",
    blockSize: 16,
    prefill: { newTokens: [0, 1], contextTokens: [0], ms: [[0], [ms.prefillMs]] },
    decode: { sequences: [1], contextTokens: [0], ms: [[ms.decodeMs]] },
    onboardBlockMs: ms.hostMs === undefined ? {} : { host: ms.hostMs },
  };
}
