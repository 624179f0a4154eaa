import { decodeLeg, fail, isRetryable, otherLeg } from "@pixii/wire";
import type {
  ErrorCode,
  Failure,
  FinishReason,
  InstanceId,
  RouteHints,
  StreamKey,
  WorkerRank,
} from "@pixii/wire";
import { StreamOutput } from "../core/stream_output.ts";
import type { TakenEntry } from "../core/stream_output.ts";
import { Attempt } from "./attempt.ts";
import type { AttemptOwner, StreamEnd } from "./attempt.ts";
import type { Placement } from "./route_client.ts";
import type { StreamHandle, StreamRequest, StreamSink } from "./stream.ts";
import { over } from "./stream_parts.ts";
import type { StreamParts } from "./stream_parts.ts";

/** Bounds of one stream's tries. */
export const streamLimits = {
  /** Failed attempts in a row without a token between; then the stream ends with the last failure. */
  mostFailures: 4,
  /** The same for a stream whose client has seen tokens: breaking it is worse than more tries. */
  mostFailuresLate: 8,
  /** First wait between two tries, doubled each time up to the longest. */
  backoffMs: 25,
  longestBackoffMs: 400,
  /** How long a new stream waits for a worker to take it. */
  firstPlaceMs: 1_000,
  /** How long a stream that lost its worker waits for another. */
  nextPlaceMs: 5_000,
  /** A worker that failed a stream is not asked again for this long. */
  avoidMs: 1_000,
  /** Most workers named in one route request's deny list. */
  deny: 256,
} as const;

/** Refusals that add load when asked again: a stream that has not begun passes them on instead of waiting. */
const loadShedding: ReadonlySet<ErrorCode> = new Set(["overloaded", "rate_limited"]);
/** Route failures that time may heal; the directory knows the model, so a router that does not is behind. */
const passing: ReadonlySet<ErrorCode> = new Set([
  "no_worker",
  "draining",
  "router_unavailable",
  "model_not_found",
]);

/** One stream's life: place, try, follow, migrate; its sink's `end` is called exactly once. */
export class LiveStream implements StreamHandle, AttemptOwner {
  readonly #parts: StreamParts;
  readonly #request: StreamRequest;
  readonly #sink: StreamSink;
  readonly #onEnd: () => void;
  readonly #output: StreamOutput;
  readonly #stop = new AbortController();
  readonly #deadline: Disposable;
  /** Until when each worker is avoided. */
  readonly #avoid = new Map<InstanceId, number>();
  #attempt: Attempt | undefined;
  /** The key now with a router. */
  #routing: StreamKey | undefined;
  #nextAttempt = 0;
  #attempts = 0;
  #failures = 0;
  #lastFailure: Failure | undefined;
  #worker: WorkerRank | undefined;
  #isEnded = false;
  readonly #startMs: number;
  #firstTokenMs: number | undefined;

  constructor(
    parts: StreamParts,
    request: StreamRequest,
    sink: StreamSink,
    onEnd: () => void,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#sink = sink;
    this.#onEnd = onEnd;
    this.#output = new StreamOutput(request.tokens);
    this.#startMs = parts.clock.nowMs();
    const leftMs = Math.max(0, request.deadlineMs - this.#startMs);
    this.#deadline = parts.clock.timer(leftMs, () =>
      this.fail(
        fail("timeout", "Cannot finish the request: its deadline passed; allow more time").error,
      ));
  }

  /** Starts it; nothing is called back before the caller's turn ends. */
  start(): void {
    this.#run().catch((error) => this.broken(error));
  }

  cancel(): void {
    this.#end("cancelled");
  }

  /** Ends it with an error. */
  fail(error: Failure): void {
    this.#end("error", error);
  }

  accepted(worker: WorkerRank, prefill: WorkerRank | undefined): void {
    this.#worker = worker;
    this.#sink.accepted(worker, prefill);
  }

  tokens(taken: TakenEntry): void {
    this.#failures = 0;
    this.#firstTokenMs ??= this.#parts.clock.nowMs();
    this.#sink.tokens(taken.tokens, taken.logprobs, this.#output.cached);
  }

  ended(end: StreamEnd): void {
    this.#countServed();
    this.#end(end.reason);
  }

  broken(error: unknown): void {
    this.#parts.log.error("a stream broke", { request: this.#request.requestId, error });
    this.fail(fail("internal", "Cannot go on with the stream: a bug; the log has more").error);
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (!this.#isEnded) {
      if (this.#isFull()) return this.#end("length");
      const placement = await this.#place();
      if (placement === undefined || this.#isEnded) return;
      const failure = await this.#try(placement);
      if (failure === undefined || this.#isEnded) return;
      await this.#failed(failure, placement.worker.instance);
    }
  }

  /** True where a lost attempt had already made everything but its end. */
  #isFull(): boolean {
    const { next } = this.#output;
    const { stop, tokens, model } = this.#request;
    return next >= stop.maxTokens || (next > 0 && tokens.length + next >= model.contextLength);
  }

  async #try(placement: Placement): Promise<Failure | undefined> {
    const key = this.#takeKey();
    this.#attempts += 1;
    this.#output.restart();
    const attempt = new Attempt(this.#parts, {
      ...{ key, placement, request: this.#request, output: this.#output, owner: this },
    });
    this.#attempt = attempt;
    const failure = await attempt.run();
    if (failure !== undefined && attempt.isAccepted) {
      this.#parts.metrics.migrations.add(1, { reason: failure.code });
      this.#parts.log.info("a stream lost its worker", {
        ...{ request: this.#request.requestId, worker: attempt.worker.instance },
        ...{ code: failure.code, next: this.#output.next },
      });
    }
    return failure;
  }

  async #failed(failure: Failure, worker: InstanceId): Promise<void> {
    const { clock } = this.#parts;
    this.#failures += 1;
    this.#lastFailure = failure;
    const isFinal = failure.code === "draining" || this.#isShed(failure);
    this.#avoid.set(worker, isFinal ? Infinity : clock.nowMs() + streamLimits.avoidMs);
    const { mostFailures, mostFailuresLate } = streamLimits;
    const most = this.#output.next > 0 ? mostFailuresLate : mostFailures;
    if (!isRetryable(failure.code) || this.#failures >= most) return this.fail(failure);
    if (this.#failures > 1) await this.#pause(backoffMs(this.#failures - 2));
  }

  /** Where to go; nothing where the stream ended meanwhile. */
  async #place(): Promise<Placement | undefined> {
    const { clock, routes, link, wakes } = this.#parts;
    let startMs = clock.nowMs();
    const patienceMs = this.#patienceMs();
    for (let tries = 0; !this.#isEnded; tries++) {
      const key = this.#keyNow();
      this.#routing = key;
      const answer = await routes.place(this.#ask(key), this.#stop.signal);
      if (this.#isEnded) return undefined;
      this.#routing = undefined;
      if (answer.isKeySpent) this.#releaseKey(this.#takeKey());
      if (answer.placed !== undefined) return answer.placed;
      const { failure } = answer;
      if (answer.hasWaited) startMs = clock.nowMs();
      if (failure.code === "bus_unavailable") {
        // Where the outage lasts too long, the generator ends every stream.
        if (!await link.up(this.#stop.signal)) return this.#lost(failure);
      } else if (passing.has(failure.code) && wakes.sleeps(this.#request.model.hash)) {
        const woken = await wakes.wait(this.#request.model, { signal: this.#stop.signal });
        if (!woken.ok) return this.#lost(woken.error);
        [startMs, tries] = [clock.nowMs(), -1];
        continue;
      } else if (
        !this.#mayPass(failure) || clock.nowMs() - startMs + backoffMs(tries) > patienceMs
      ) {
        return this.#lost(failure.code === "no_worker" ? this.#lastFailure ?? failure : failure);
      }
      await this.#pause(backoffMs(tries));
    }
    return undefined;
  }

  /** Tells planners what this stream was like. */
  #countServed(): void {
    const { demand, clock } = this.#parts;
    if (this.#firstTokenMs === undefined || this.#isEnded) return;
    const { device, host, disk } = this.#output.cached;
    demand.served(this.#request.model.hash, {
      promptTokens: this.#request.tokens.length,
      cachedTokens: device + host + disk,
      outputTokens: this.#output.next,
      ttftMs: this.#firstTokenMs - this.#startMs,
      decodeMs: clock.nowMs() - this.#firstTokenMs,
    });
  }

  #lost(failure: Failure): undefined {
    this.fail(failure);
    return undefined;
  }

  #patienceMs(): number {
    if (this.#lastFailure === undefined) return streamLimits.firstPlaceMs;
    return this.#isShed(this.#lastFailure) ? 0 : streamLimits.nextPlaceMs;
  }

  /** True where the failure sheds load and this stream is load to be shed: its client has seen nothing yet. */
  #isShed(failure: Failure): boolean {
    return this.#output.next === 0 && loadShedding.has(failure.code);
  }

  /** True where a router's refusal may pass with time. */
  #mayPass(failure: Failure): boolean {
    const isShedding = loadShedding.has(failure.code);
    return isShedding ? !this.#isShed(failure) : passing.has(failure.code);
  }

  #ask(key: StreamKey) {
    const { model, stop, tenantSalt, deadlineMs } = this.#request;
    const maxTokens = stop.maxTokens - this.#output.next;
    const remainingMs = deadlineMs - this.#parts.clock.nowMs();
    const tokens = this.#output.allTokens();
    return { key, model, tokens, maxTokens, remainingMs, tenantSalt, hints: this.#hints() };
  }

  #hints(): RouteHints {
    const { hints } = this.#request;
    const nowMs = this.#parts.clock.nowMs();
    const avoided = [...this.#avoid].filter(([, untilMs]) => untilMs > nowMs).map(([id]) => id);
    if (avoided.length === 0) return hints;
    return { ...hints, deny: [...avoided, ...hints.deny ?? []].slice(0, streamLimits.deny) };
  }

  #keyNow(): StreamKey {
    const { requestId, choice } = this.#request;
    return { requestId, attempt: this.#nextAttempt, leg: decodeLeg(choice) };
  }

  #takeKey(): StreamKey {
    const key = this.#keyNow();
    this.#nextAttempt += 1;
    return key;
  }

  /** What a router may have booked of a key is over: both legs, where prompts may be split. */
  #releaseKey(key: StreamKey): void {
    this.#parts.ledger.add({ op: "complete", ...key });
    if (!this.#request.model.cards.some(({ role }) => role === "prefill")) return;
    this.#parts.ledger.add({ op: "complete", ...key, leg: otherLeg(key.leg) });
  }

  async #pause(ms: number): Promise<void> {
    await this.#parts.clock.sleep(ms, this.#stop.signal).catch(() => undefined);
  }

  /** The one place where a stream ends. */
  #end(reason: FinishReason, error?: Failure): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#deadline[Symbol.dispose]();
    if (this.#routing !== undefined) {
      // A router may be booking it right now.
      this.#releaseKey(this.#routing);
    }
    this.#attempt?.stop();
    this.#stop.abort(over);
    this.#parts.metrics.ended.add(1, { reason });
    this.#onEnd();
    try {
      this.#sink.end({
        ...{ reason, error, outputTokens: this.#output.next, cached: this.#output.cached },
        ...{ worker: this.#worker, attempts: this.#attempts },
      });
    } catch (thrown) {
      this.#parts.log.error("a stream's end was not taken", { error: thrown });
    }
  }
}

function backoffMs(tries: number): number {
  return Math.min(streamLimits.longestBackoffMs, streamLimits.backoffMs * 2 ** tries);
}
