import type {
  Failure,
  FinishReason,
  Overlap,
  RequestId,
  Result,
  RouteHints,
  Sampling,
  StopRule,
  TokenLogprob,
  WorkerRank,
} from "@pixii/wire";
import type { ServedModel } from "./model_directory.ts";
import type { WakePatience } from "./wake_desk.ts";

/** One choice of one request, ready to run. */
export interface StreamRequest {
  readonly requestId: RequestId;
  readonly model: ServedModel;
  readonly tokens: Uint32Array;
  readonly choice: number;
  readonly sampling: Sampling;
  readonly stop: StopRule;
  readonly tenantSalt: string;
  readonly hints: RouteHints;
  /** On the clock's `nowMs`. */
  readonly deadlineMs: number;
}

/** How a stream ended. */
export interface StreamOutcome {
  readonly reason: FinishReason;
  readonly error?: Failure;
  readonly outputTokens: number;
  /** Prompt tokens taken from KV, by tier, on the last attempt. */
  readonly cached: Overlap;
  readonly worker?: WorkerRank;
  /** Attempts made, 1 = no re-route. */
  readonly attempts: number;
}

/** Receives one stream: `accepted`*, `tokens`*, then `end` exactly once. Called synchronously from the step frame. */
export interface StreamSink {
  /** A worker took it, and another one computes its prompt where that is said; again after a migration. */
  accepted(worker: WorkerRank, prefill: WorkerRank | undefined): void;
  /** Next output tokens; contiguous over migrations: none lost, none twice. `cached` is known from the first call on. */
  tokens(
    ids: readonly number[],
    logprobs: readonly TokenLogprob[] | undefined,
    cached: Overlap,
  ): void;
  /** Last call. */
  end(outcome: StreamOutcome): void;
}

/** A running stream. */
export interface StreamHandle {
  /** Ends it: the worker is told within one step, the ledger is released, `end` comes with reason "cancelled". Idempotent. */
  cancel(): void;
}

/** Runs streams: route, generate, follow frames, renew, resume, migrate, release. */
export interface Generator {
  start(request: StreamRequest, sink: StreamSink): StreamHandle;
  /** Waits until a worker of a model that sleeps takes work; see `WakeDesk.wait`. */
  awake(model: ServedModel, patience: WakePatience): Promise<Result<void>>;
  /** Streams now live. */
  readonly live: number;
}
