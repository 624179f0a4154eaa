import { fail, ok, WorkerTimes } from "@pixii/wire";
import type { Result, WorkerProfile } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import { sha256Hex } from "../digest.ts";
import type { EngineCard } from "../engine.ts";
import { mockerTime, profileTime } from "./core/step_time.ts";
import type { HostBlocks } from "./core/host_pool.ts";
import type { StepShape, StepTime } from "./core/step_time.ts";
import { readProfile } from "../profile_file.ts";
import { scaledProfile } from "./core/scaled_profile.ts";
import { Driver } from "./driver.ts";
import { SimEngine } from "./engine.ts";
import { readVocabulary } from "./vocabulary.ts";
import type { SimVocabulary } from "./vocabulary.ts";

/** Longest context without `ctx`, as of every engine. */
const mostDefaultContext = 8192;

/** What simulated ranks are opened with. */
export interface SimOptions {
  /** GGUF file or folder with `tokenizer.json`: only its vocabulary is read. */
  readonly path: string;
  /** What is read there, where that was done before. */
  readonly vocabulary?: SimVocabulary;
  /** Ranks: engines of their own behind one vocabulary. */
  readonly ranks: number;
  /** Most tokens of prompt plus output; 0 = the model's, up to 8192. May be over what the model was made for. */
  readonly ctx: number;
  readonly maxSeqs: number;
  readonly maxWaiting: number;
  readonly blockSize: number;
  /** Blocks of the device tier, per rank. */
  readonly blocks: number;
  /** Blocks of the modelled host tier, per rank; 0 = none. */
  readonly hostBlocks: number;
  /** Who keeps the blocks of a rank's host tier instead of the model; only for the simulator. */
  readonly host?: (dpRank: number) => HostBlocks;
  /** Most tokens of one step. */
  readonly batchTokens: number;
  /** Most tokens of one prompt in a step; 0 = `batchTokens`. */
  readonly chunkTokens: number;
  /** Most prompts in work at a time; 0 = any number. */
  readonly maxPrefills: number;
  /** > 0; Infinity = no waiting. */
  readonly speed: number;
  /** File with a time profile; empty = the default polynomials. */
  readonly profile: string;
  readonly clock: Clock;
}

/** Opens simulated ranks, or says in one sentence why not. The vocabulary is read once for all of them. */
export async function openSimEngines(options: SimOptions): Promise<Result<readonly SimEngine[]>> {
  const vocabulary = options.vocabulary === undefined
    ? await readVocabulary(options.path)
    : ok(options.vocabulary);
  if (!vocabulary.ok) return vocabulary;
  const time = await timeOf(options);
  if (!time.ok) return time;
  const plainCard = await cardOf(vocabulary.value, options);
  if (!plainCard.ok) return plainCard;
  const { profile } = time.value;
  const card: EngineCard = { ...plainCard.value, ...(profile === undefined ? {} : { profile }) };
  const driver = new Driver(options.clock);
  const { blocks, blockSize, hostBlocks, batchTokens, maxSeqs, maxWaiting, speed } = options;
  const chunkTokens = options.chunkTokens || batchTokens;
  const maxPrefills = options.maxPrefills || Infinity;
  const { plain, vocabSize, artifact } = vocabulary.value;
  const { contextLength, eosTokenIds } = card;
  return ok(Array.from({ length: options.ranks }, (_, dpRank) =>
    new SimEngine({
      card,
      artifact: artifact.bytes,
      scheduler: {
        ...{ blocks, blockSize, hostBlocks, maxSeqs, maxWaiting, host: options.host?.(dpRank) },
        ...{ batchTokens, chunkTokens, maxPrefills },
        ...{ contextLength, vocabSize, eosTokenIds, plain },
      },
      time: time.value.time,
      speed,
      clock: options.clock,
      driver,
    })));
}

/** How long steps take, and what the card says about it where that was measured. */
interface SimTime {
  readonly time: (shape: StepShape) => StepTime;
  readonly profile: WorkerProfile | undefined;
}

async function timeOf({ profile: path, speed }: SimOptions): Promise<Result<SimTime>> {
  if (path === "") return ok({ time: mockerTime, profile: undefined });
  const profile = await readProfile(path);
  if (!profile.ok) return profile;
  return ok({
    time: profileTime(new WorkerTimes(profile.value)),
    profile: speed === Infinity ? undefined : scaledProfile(profile.value, speed),
  });
}

async function cardOf(vocabulary: SimVocabulary, options: SimOptions): Promise<Result<EngineCard>> {
  const { artifact, vocabSize, createdAt } = vocabulary;
  const { ctx, blocks, blockSize, maxSeqs, ranks } = options;
  const capacity = blocks * blockSize;
  if (ctx > capacity) {
    return fail(
      "invalid_request",
      `Cannot serve a context of ${ctx} tokens: ${blocks} blocks of ${blockSize} hold ${capacity}; raise --sim-blocks or lower --ctx`,
    );
  }
  const contextLength = ctx || Math.min(vocabulary.contextLength, mostDefaultContext, capacity);
  // There are no weights: workers of one vocabulary say the same, so it names the model.
  const modelDigest = await sha256Hex(new TextEncoder().encode(`sim|${artifact.digest}`));
  return ok({
    engine: "sim",
    modelDigest,
    contextLength,
    blockSize,
    totalBlocks: blocks,
    kvBytesPerToken: vocabulary.kvBytesPerToken,
    layoutFingerprint: `sim/${blockSize}/${modelDigest.slice(0, 16)}`,
    reuse: "blocks",
    dpSize: ranks,
    tpSize: 1,
    slidingWindow: 0,
    maxSeqs,
    vocabSize,
    artifactDigest: artifact.digest,
    artifactBytes: artifact.bytes.byteLength,
    eosTokenIds: artifact.vocabulary.eosTokenIds,
    createdAt,
  });
}
