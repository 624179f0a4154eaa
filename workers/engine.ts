import type {
  BlockHolder,
  EntryExtra,
  Handover,
  KvEvent,
  ModelCard,
  Result,
  Sampling,
  StopRule,
  StreamKey,
} from "@pixii/wire";
import type { handoverWords } from "@pixii/wire";
import type { EngineHostTier } from "./kv_store/kv_store.ts";

/** One stream to run. `stream` is the caller's handle, unique among its live streams. */
export interface EngineRequest {
  readonly stream: number;
  readonly key: StreamKey;
  /** Prompt, then a former attempt's output. */
  readonly tokens: Uint32Array;
  /** How many of the last `tokens` are output: output index starts here, penalties count them as output. */
  readonly emitted: number;
  readonly choice: number;
  readonly sampling: Sampling;
  readonly stop: StopRule;
  readonly tenantSalt: string;
  readonly adapter: string;
  readonly priority: number;
  /** It gives its blocks to another worker, or takes them from one; see `Handover`. */
  readonly handover?: Handover;
  /** Who else has blocks of its prompt. */
  readonly holder?: BlockHolder;
}

/** What one step made for one stream. After `extra.end` the stream is over and its handle is free. */
export interface StepOutput {
  readonly stream: number;
  /** Output index of the first token. */
  readonly firstIndex: number;
  readonly tokens: readonly number[];
  /** Cached counts on the first entry, logprobs when asked, the end. */
  readonly extra: EntryExtra | undefined;
}

/** Everything one engine step made: the step is the unit, never the token. Valid until the next is asked for. */
export interface StepBatch {
  /** Steps since start; grows by at least 1. */
  readonly step: number;
  readonly outputs: readonly StepOutput[];
  /** Changes of the device tier made by this step, in order; empty for most decode steps. */
  readonly kvEvents: readonly KvEvent[];
}

/** The blocks of an engine's device tier. */
export interface EngineSnapshot {
  /** They are true after this step. */
  readonly step: number;
  /** As `stored` events, parents first. */
  readonly kvEvents: readonly KvEvent[];
}

/** The engine's part of a load report. */
export interface EngineLoad {
  readonly running: number;
  readonly waiting: number;
  readonly prefillTokens: number;
  readonly activeBlocks: number;
  readonly cachedBlocks: number;
  readonly totalBlocks: number;
  readonly stepCount: number;
  /** How long the current step has run; 0 when idle. */
  readonly stepAgeMs: number;
  /** Measured, tokens per second; 0 until known. */
  readonly prefillRate: number;
  readonly decodeRate: number;
}

/** The card as far as an engine knows it. */
export type EngineCard = Omit<ModelCard, "name" | "hash" | "instance" | "role" | "kvbm">;

/** An engine behind the worker's shell. Every engine passes `engine_contract.ts`. */
export interface Engine extends AsyncDisposable {
  card(): EngineCard;
  /** The vocabulary artifact's gzip bytes; their sha256 is on the card. */
  artifact(): Uint8Array;
  /** Takes a stream, or refuses before any work (`context_length_exceeded`, `invalid_request`, `overloaded`, `draining`). */
  submit(request: EngineRequest): Result<void>;
  /** Ends a stream within one step: a last output with `end.reason` "cancelled" follows. Unknown streams are ignored. */
  cancel(stream: number): void;
  /** How the other leg of a stream that takes over has ended: `lost` = compute it here. Unknown streams are ignored. */
  handover?(stream: number, word: typeof handoverWords[number]): void;
  /** All steps from now on; one consumer. Ends when the engine is disposed; throws when it failed. */
  steps(): AsyncIterable<StepBatch>;
  load(): EngineLoad;
  /** What it does with a host tier, where it can keep blocks in one. */
  readonly hostTier?: EngineHostTier;
  /**
   * All blocks now held. Fails with `draining` where the engine was shut down before it could answer, `engine_failed`
   * where it has failed, `timeout` where it does not answer.
   */
  snapshot(): Promise<Result<EngineSnapshot>>;
  /** Takes no new streams; resolves when none is live, or cancels the rest when `signal` aborts. */
  drain(signal: AbortSignal): Promise<void>;
}
