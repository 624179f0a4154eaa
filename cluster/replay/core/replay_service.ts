import type { WorkerProfile } from "@pixii/wire";
import { mockerTime } from "@pixii/workers/sim";
import { EngineWorker } from "./engine_worker.ts";
import { PrefillWorker } from "./prefill_worker.ts";
import type { JobSink, LineOrder, ReplayWorker } from "./replay_job.ts";

/** How simulated workers work. */
export const replayServices = ["prefill", "engine"] as const;
/** How simulated workers work. */
export type ReplayService = typeof replayServices[number];

/** Tokens of a step of service `engine`, as vLLM has them on a large GPU. */
const batchTokens = 2_048;

/** What a fleet's workers are like. */
export interface ServiceParts {
  readonly service: ReplayService;
  readonly capacityBlocks: number;
  readonly blockSize: number;
  readonly maxSeqs: number;
  readonly order: LineOrder;
  /** Service `prefill`: milliseconds that one prompt token takes. */
  readonly tokenMs: number;
}

/** A worker of a service. */
export function workerOf(parts: ServiceParts, sink: JobSink): ReplayWorker {
  const { service, capacityBlocks, blockSize, maxSeqs, order, tokenMs } = parts;
  if (service === "prefill") {
    return new PrefillWorker({ capacityBlocks, blockSize, order, tokenMs, sink });
  }
  return new EngineWorker({
    ...{ capacityBlocks, blockSize, maxSeqs, batchTokens, order, time: mockerTime, sink },
  });
}

/** What such a worker would be measured to be: the profile on its card. */
export function profileOf(parts: ServiceParts): WorkerProfile {
  const { service, blockSize, tokenMs } = parts;
  const about = {
    ...{ version: 1, model: "replay", modelDigest: "", engine: "sim", engineVersion: "1" } as const,
    ...{ machine: "", measuredAt: "", about: service, blockSize, onboardBlockMs: {} },
  };
  if (service === "prefill") {
    const most = 1_000_000;
    return {
      ...about,
      prefill: { newTokens: [0, most], contextTokens: [0], ms: [[0], [most * tokenMs]] },
      decode: { sequences: [1], contextTokens: [0], ms: [[0]] },
    };
  }
  const newTokens = [0, 256, 1_024, 2_048, 8_192, 32_768, 131_072];
  const sequences = [1, 8, 32, 128, 512];
  const contextTokens = [0, 1_024, 8_192, 65_536];
  return {
    ...about,
    prefill: { newTokens, contextTokens: [0], ms: newTokens.map((tokens) => [chunkedMs(tokens)]) },
    decode: {
      ...{ sequences, contextTokens },
      ms: sequences.map((count) => contextTokens.map((tokens) => decodeMs(count, tokens, parts))),
    },
  };
}

function chunkedMs(tokens: number): number {
  let ms = 0;
  for (let left = tokens; left > 0; left -= batchTokens) {
    ms += mockerTime({ ...still, prefillTokens: Math.min(left, batchTokens) }).prefillMs;
  }
  return ms;
}

function decodeMs(sequences: number, contextTokens: number, parts: ServiceParts): number {
  const capacityTokens = parts.capacityBlocks * parts.blockSize;
  const activeTokens = sequences * contextTokens;
  return mockerTime({ ...still, decodeSequences: sequences, activeTokens, capacityTokens })
    .decodeMs;
}

const still = {
  ...{ prefillTokens: 0, prefillContext: 0, decodeSequences: 0, activeTokens: 0 },
  ...{ capacityTokens: 1, hostTokens: 0 },
} as const;
