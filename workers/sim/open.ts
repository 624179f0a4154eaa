import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import { sha256Hex } from "../digest.ts";
import type { EngineCard } from "../engine.ts";
import { mockerTime, profileTime } from "./core/step_time.ts";
import type { StepShape, StepTime } from "./core/step_time.ts";
import { Driver } from "./driver.ts";
import { SimEngine } from "./engine.ts";
import { parseProfile } from "./profile_text.ts";
import { readVocabulary } from "./vocabulary.ts";
import type { SimVocabulary } from "./vocabulary.ts";

/** Longest context without `ctx`, as of every engine. */
const mostDefaultContext = 8192;

/** What simulated ranks are opened with. */
export interface SimOptions {
  /** GGUF file or folder with `tokenizer.json`: only its vocabulary is read. */
  readonly path: string;
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
  /** Most tokens of one step. */
  readonly batchTokens: number;
  /** > 0; Infinity = no waiting. */
  readonly speed: number;
  /** File with a time profile; empty = the default polynomials. */
  readonly profile: string;
  readonly clock: Clock;
}

/** Opens simulated ranks, or says in one sentence why not. The vocabulary is read once for all of them. */
export async function openSimEngines(options: SimOptions): Promise<Result<readonly SimEngine[]>> {
  const vocabulary = await readVocabulary(options.path);
  if (!vocabulary.ok) return vocabulary;
  const time = await timeOf(options.profile);
  if (!time.ok) return time;
  const card = await cardOf(vocabulary.value, options);
  if (!card.ok) return card;
  const driver = new Driver(options.clock);
  const { blocks, blockSize, hostBlocks, batchTokens, maxSeqs, maxWaiting, speed } = options;
  const { plain, vocabSize, artifact } = vocabulary.value;
  const { contextLength, eosTokenIds } = card.value;
  return ok(Array.from({ length: options.ranks }, () =>
    new SimEngine({
      card: card.value,
      artifact: artifact.bytes,
      scheduler: {
        ...{ blocks, blockSize, hostBlocks, batchTokens, maxSeqs, maxWaiting },
        ...{ contextLength, vocabSize, eosTokenIds, plain },
      },
      time: time.value,
      speed,
      clock: options.clock,
      driver,
    })));
}

async function timeOf(path: string): Promise<Result<(shape: StepShape) => StepTime>> {
  if (path === "") return ok(mockerTime);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    return fail("not_found", `Cannot read the profile ${path}: ${(error as Error).message}`);
  }
  const profile = parseProfile(text, path);
  return profile.ok ? ok(profileTime(profile.value)) : profile;
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
