import { z } from "zod";
import {
  bytes,
  count,
  failure,
  finite,
  instanceId,
  label,
  modelName,
  streamKey,
  u16,
  u32,
} from "./field.ts";
import { handover } from "./handover.ts";

/** How a token is drawn. Applied in this order: bias, penalties, top_k, top_p, min_p, temperature, draw. */
export const sampling = z.object({
  /** Seed of the counter-based draw: high and low u32. */
  seedHi: u32,
  seedLo: u32,
  /** 0 = greedy; 0..2. */
  temperature: finite.min(0).max(2),
  /** 0 = off. */
  topK: u32,
  /** (0, 1]; 1 = off. */
  topP: finite.min(0).max(1),
  /** [0, 1); 0 = off. */
  minP: finite.min(0).max(1),
  /** -2..2, OpenAI's. */
  presencePenalty: finite.min(-2).max(2),
  /** -2..2, OpenAI's. */
  frequencyPenalty: finite.min(-2).max(2),
  /** > 0; 1 = off; over prompt and output, as in the CTRL paper and vLLM. */
  repetitionPenalty: finite.min(0.01).max(100),
  /** (token id, added to its logit): -100..100. */
  logitBias: z.array(z.tuple([u32, finite.min(-100).max(100)])).max(1024),
  /** -1 = none; else log-probabilities of the chosen token and of the N most likely, 0..20. */
  logprobs: z.number().int().min(-1).max(20),
});
/** How a token is drawn. */
export type Sampling = z.infer<typeof sampling>;

/** The most likely token, always, and nothing else asked for. */
export const greedySampling: Readonly<Sampling> = {
  ...{ seedHi: 0, seedLo: 0, temperature: 0, topK: 0, topP: 1, minP: 0, presencePenalty: 0 },
  ...{ frequencyPenalty: 0, repetitionPenalty: 1, logitBias: [], logprobs: -1 },
};

/** When a sequence ends. Stop strings are the frontend's: it cancels. */
export const stopRule = z.object({
  /** Output tokens of the whole stream, the already emitted ones included; >= 1. */
  maxTokens: u32.min(1),
  /** End-of-sequence tokens are not sampled before this many output tokens. */
  minTokens: u32,
  /** Tokens that end the sequence (besides the model's own, unless `ignoreEos`). */
  stopTokenIds: z.array(u32).max(64),
  /** Never end on the model's end-of-sequence tokens. */
  ignoreEos: z.boolean(),
});
/** When a sequence ends. */
export type StopRule = z.infer<typeof stopRule>;

/**
 * Another host's block manager that holds blocks of the prompt: from place `first`, where the worker's own device ends, to
 * before `end`.
 */
export const blockHolder = z.object({ kvbm: instanceId, first: u32, end: u32 });
/** Another host's block manager that holds blocks of the prompt. */
export type BlockHolder = z.infer<typeof blockHolder>;

/** frontend -> worker, request on `gen.<id>`. The reply is a step frame whose one entry has the `accepted` flag, or a `Refusal`. */
export const generateRequest = z.object({
  ...streamKey.shape,
  /** The frontend's own number of this stream, unique among its live streams; step frames carry it. */
  tag: u32,
  /** Whose inbox gets the frames. */
  frontend: instanceId,
  model: modelName,
  /** Which of the worker's ranks runs it; absent = 0. */
  dpRank: u16.optional(),
  /** Prompt token ids, then those of a former attempt's output; u32 little-endian. */
  tokens: bytes(4),
  /** How many of the last `tokens` are output already sent to the client; output index starts here. */
  emitted: u32,
  /** Choice j: enters the draw. */
  choice: u16,
  sampling,
  stop: stopRule,
  /** Salt of the tenant's block hashes; empty = none. */
  tenantSalt: label,
  /** Adapter digest; empty = none. */
  adapter: label,
  /** Larger first. */
  priority: z.number().int().min(-1000).max(1000),
  /** The request's deadline, as what is left of it. */
  remainingMs: count,
  /** Its prompt is computed by one worker and its answer goes on at another: what this one does. */
  handover: handover.optional(),
  /** Who else has blocks of it. */
  holder: blockHolder.optional(),
});
/** frontend -> worker: run one stream. */
export type GenerateRequest = z.infer<typeof generateRequest>;

/** Anything -> caller: the request was not taken. */
export const refusal = z.object({ error: failure });
/** The request was not taken. */
export type Refusal = z.infer<typeof refusal>;

/** Why a stream ended. */
export const finishReasons = ["stop", "length", "cancelled", "error"] as const;
/** Why a stream ended. */
export type FinishReason = typeof finishReasons[number];

/** Log-probability of one output token. */
export const tokenLogprob = z.object({
  /** ln p of the chosen token, before temperature and filters. */
  logprob: finite.nullable(),
  /** (token id, ln p), most likely first. */
  top: z.array(z.tuple([u32, finite])).max(20),
});
/** Log-probability of one output token. */
export type TokenLogprob = z.infer<typeof tokenLogprob>;

/** What a step-frame entry carries besides tokens; all absent on the plain path. */
export const entryExtra = z.object({
  /** On the first entry with tokens: prompt tokens taken from KV, by tier. */
  cached: z.object({ device: u32, host: u32, disk: u32 }).optional(),
  /** One per token of the entry, when asked for. */
  logprobs: z.array(tokenLogprob).optional(),
  /** On the last entry. */
  end: z.object({
    reason: z.enum(finishReasons),
    /** The token that ended it (never among the tokens), if a stop token did. */
    stopToken: u32.optional(),
    error: failure.optional(),
    /** All output tokens of the stream, former attempts included. */
    outputTokens: u32,
  }).optional(),
});
/** What a step-frame entry carries besides tokens. */
export type EntryExtra = z.infer<typeof entryExtra>;
