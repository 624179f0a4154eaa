import { modelHashOf } from "@pixii/wire";
import type {
  HashList,
  InstanceId,
  KvEvent,
  KvEventBatch,
  LoadReport,
  ModelCard,
  RequestId,
  RouteRequest,
} from "@pixii/wire";
import { parseConfig } from "@pixii/runtime";
import { routerSchema } from "../config.ts";
import type { RouterConfig } from "../config.ts";

/** The model of all samples. */
export const modelName = "org/sample";
/** Its hash. */
export const modelHash = modelHashOf(modelName);

/** An instance id out of a small number. */
export function instanceOf(number: number): InstanceId {
  return number.toString(16).padStart(16, "0") as InstanceId;
}

/** A request id out of a small number. */
export function requestOf(number: number): RequestId {
  return number.toString(16).padStart(32, "0") as RequestId;
}

/** The card of worker `number`. */
export function cardOf(number: number, more: Partial<ModelCard> = {}): ModelCard {
  return {
    ...{ name: modelName, hash: modelHash, instance: instanceOf(number), engine: "sim" },
    ...{ role: "both", modelDigest: "d", contextLength: 8_192, blockSize: 16 },
    ...{ totalBlocks: 1_024, kvBytesPerToken: 1, layoutFingerprint: "", reuse: "blocks" },
    ...{ dpSize: 1, tpSize: 1, slidingWindow: 0, maxSeqs: 8, vocabSize: 10 },
    ...{ artifactDigest: "", artifactBytes: 0, eosTokenIds: [], createdAt: 0 },
    ...more,
  };
}

/** A load report of worker `number`, idle unless said otherwise. */
export function reportOf(number: number, more: Partial<LoadReport> = {}): LoadReport {
  return {
    ...{ instance: instanceOf(number), dpRank: 0, model: modelHash, role: "both" },
    ...{ draining: false, running: 0, waiting: 0, maxSeqs: 8, prefillTokens: 0 },
    ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 1_024, stepCount: 0, stepAgeMs: 0 },
    ...{ kvEventNumber: 0, activeStreams: 0, activeDigestHi: 0, activeDigestLo: 0 },
    ...{ prefillRate: 0, decodeRate: 0 },
    ...more,
  };
}

/** Hashes that begin at `seed` and go on by one; prompts with one seed share their beginning. */
export function hashesOf(seed: number, blocks: number): HashList {
  return {
    hi: Uint32Array.from({ length: blocks }, () => 0x8000_0000 + seed),
    lo: Uint32Array.from({ length: blocks }, (_, i) => 0xffff_ff00 + i),
  };
}

/** A route request: `blocks` whole blocks of 16 tokens of prompt `seed`. */
export function routeOf(
  number: number,
  more: Partial<RouteRequest> & { readonly seed?: number; readonly blocks?: number } = {},
): RouteRequest {
  const { seed = 1, blocks = 4, ...rest } = more;
  return {
    ...{ requestId: requestOf(number), attempt: 0, leg: 0, frontend: instanceOf(0xf1) },
    ...{ isl: 16 * blocks, maxTokens: 16, remainingMs: 60_000 },
    hashes: [{ blockSize: 16, list: hashesOf(seed, blocks) }],
    ...rest,
  };
}

/** A stored run, numbered from `first`. */
export function storedOf(list: HashList, first: number): KvEvent {
  const numbers = Uint32Array.from(list.lo, (_, i) => first + i);
  return { op: "stored", parent: 0, numbers, hi: list.hi, lo: list.lo };
}

/** A batch of worker `number`. */
export function batchOf(
  number: number,
  batch: { readonly number: number; readonly events: readonly KvEvent[] } & Partial<KvEventBatch>,
): KvEventBatch {
  return {
    ...{ owner: instanceOf(number), epoch: instanceOf(number), model: modelHash, dpRank: 0 },
    ...{ tier: "device", cacheGroup: 0, blockSize: 16 },
    ...batch,
  };
}

/** A router's config from flags. Throws where one is wrong. */
export function configOf(...args: string[]): RouterConfig {
  const parsed = parseConfig(routerSchema, { args, env: {} });
  if ("problems" in parsed) throw new Error(parsed.problems.join("; "));
  return parsed.config;
}
