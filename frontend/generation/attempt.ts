import {
  decode,
  decodeStepFrame,
  encode,
  encodeGenerateRequest,
  fail,
  isRetryable,
  limits,
  messageNameOf,
  otherLeg,
} from "@pixii/wire";
import type {
  EntryExtra,
  Failure,
  GenerateRequest,
  Result,
  StepEntry,
  StreamKey,
  WorkerRank,
} from "@pixii/wire";
import type { StreamOutput, TakenEntry } from "../core/stream_output.ts";
import type { Followed } from "./followed.ts";
import { PrefillLeg } from "./prefill_leg.ts";
import type { PrefillLegOwner } from "./prefill_leg.ts";
import type { Placement } from "./route_client.ts";
import type { StreamRequest } from "./stream.ts";
import { over } from "./stream_parts.ts";
import type { StreamParts } from "./stream_parts.ts";

/** A resume request is answered within this or asked again. */
const resumeMs = 1_000;
/** Resume requests that fail, one after another; then the worker does not serve its streams. */
const mostResumeTries = 5;
/** Wait before a worker is asked again that may still be reconnecting. */
const settleRetryMs = 100;
/** Resumes in a row that bring nothing new: then the worker's numbers do not add up. */
const mostFruitlessResumes = 5;

/** Longest time that is told to a worker. */
const longestMs = 0xffff_ffff;

/** How the worker ended a stream. */
export type StreamEnd = NonNullable<EntryExtra["end"]>;

/** The stream an attempt belongs to. */
export interface AttemptOwner {
  accepted(worker: WorkerRank, prefill: WorkerRank | undefined): void;
  tokens(taken: TakenEntry): void;
  /** Natural end (`stop`, `length`). */
  ended(end: StreamEnd): void;
  broken(error: unknown): void;
}

/** What an attempt runs. */
export interface AttemptOptions {
  readonly key: StreamKey;
  readonly placement: Placement;
  readonly request: StreamRequest;
  readonly output: StreamOutput;
  readonly owner: AttemptOwner;
}

/**
 * One try of a stream at one worker: booked, sent, followed; released exactly once on every path. With a prefill leg the
 * worker is told to wait for what another computes; whichever says an output index first says it to the client.
 */
export class Attempt implements Followed, PrefillLegOwner {
  readonly tag: number;
  readonly worker: WorkerRank;
  readonly #parts: StreamParts;
  readonly #options: AttemptOptions;
  readonly #stop = new AbortController();
  readonly #over = Promise.withResolvers<Failure | undefined>();
  #isOver = false;
  #isAccepted = false;
  #hasTokens = false;
  #isResuming = false;
  #fruitlessResumes = 0;
  #heardMs: number;
  readonly #startMs: number;
  /** The output index at which the attempt began. */
  readonly #firstIndex: number;
  readonly #prefill: PrefillLeg | undefined;
  /** What the worker has to be told of the prefill leg once it has taken the stream. */
  #word: "given" | "lost" | undefined;

  constructor(parts: StreamParts, options: AttemptOptions) {
    this.#parts = parts;
    this.#options = options;
    this.tag = parts.inbox.freshTag();
    this.worker = options.placement.worker;
    this.#startMs = this.#heardMs = parts.clock.nowMs();
    this.#firstIndex = options.output.next;
    const { key, placement, request } = options;
    const { prefillTokens, blocks } = placement;
    const isSplit = placement.prefill !== undefined && this.#maySplit();
    parts.inbox.open(this);
    parts.ledger.add({
      ...{ op: "book", ...key, model: request.model.hash, worker: this.worker },
      ...{ frontend: parts.frontend, prefillTokens: isSplit ? 0 : prefillTokens, blocks },
      ...{ session: request.hints.session, sessionTtlMs: request.hints.sessionTtlMs },
    });
    parts.demand.booked(request.model.hash, placement.prefill?.prefillTokens ?? prefillTokens);
    if (isSplit) this.#prefill = this.#openLeg();
    else if (placement.prefill !== undefined) {
      // The router has booked it.
      parts.ledger.add({ op: "complete", ...key, leg: otherLeg(key.leg) });
    }
  }

  /** The next output index the client needs. */
  get next(): number {
    return this.#options.output.next;
  }

  /** True once the worker took it. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** When the worker last said anything about this stream. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Sends it and follows it. Resolves with why it was lost, or with nothing where the stream ended or was stopped. */
  run(): Promise<Failure | undefined> {
    this.#ask().catch((error) => this.broken(error));
    this.#prefill?.start();
    return this.#over.promise;
  }

  /** Gives the attempt up: the stream must go on elsewhere or fail. */
  lose(failure: Failure): void {
    if (this.#release({ reason: failure.code })) this.#over.resolve(failure);
  }

  /** Like `lose`, and tells the worker, should it still be there. */
  abandon(failure: Failure): void {
    if (!this.#isOver) this.#tellCancel();
    this.lose(failure);
  }

  /** Ends the attempt and tells the worker. Idempotent. */
  stop(): void {
    if (!this.#release({ reason: "cancelled" })) return;
    this.#tellCancel();
    this.#over.resolve(undefined);
  }

  take(entry: StepEntry, nowMs: number): void {
    if (this.#isOver) return;
    this.#heardMs = nowMs;
    this.#accept();
    if (this.#prefill !== undefined && !this.#agrees(entry, this.#prefill)) return;
    const taken = this.#options.output.take(entry);
    if (taken.tokens.length > 0) this.#taken(taken, nowMs);
    if (taken.gap) this.resume("gap");
    if (taken.end !== undefined) this.#ended(taken.end);
  }

  legTook(entry: StepEntry): boolean {
    if (this.#isOver) return false;
    const taken = this.#options.output.take(entry);
    if (taken.tokens.length > 0) this.#taken(taken, this.#parts.clock.nowMs());
    return taken.gap;
  }

  legOver(how: Parameters<PrefillLegOwner["legOver"]>[0]): void {
    if (this.#isOver) return;
    if (typeof how !== "string") {
      this.#tellCancel();
      return this.#ended(how);
    }
    this.#word = how;
    if (this.#isAccepted) this.#tellWord();
  }

  broken(error: unknown): void {
    this.stop();
    this.#options.owner.broken(error);
  }

  /** Asks the worker for everything from the next index on; one request at a time. */
  resume(cause: string): void {
    if (this.#isResuming || this.#isOver) return;
    this.#isResuming = true;
    this.#parts.metrics.resumes.add(1, { cause });
    this.#resume().catch((error) => this.broken(error));
  }

  async #ask(): Promise<void> {
    const { bus, clock, subjects, link } = this.#parts;
    const subject = subjects.generate(this.worker.instance);
    const { signal } = this.#stop;
    while (!this.#isOver) {
      const message = this.#message();
      const timeoutMs = Math.min(limits.acceptMs, Math.max(1, message.remainingMs));
      const reply = await bus.request(subject, encodeGenerateRequest(message), {
        timeoutMs,
        signal,
      });
      if (this.#isOver) return;
      if (reply.ok) return this.#answered(reply.value);
      // Its frames overtook the reply, or the reply is what was lost.
      if (this.#isAccepted) return;
      const { code } = reply.error;
      const mayComeBack = code === "bus_unavailable" ||
        (code === "no_responders" && link.isSettling);
      if (!mayComeBack) return this.#refused(reply.error);
      // The worker knows the stream by its key: sent twice it still runs once.
      if (!await link.up(signal)) return;
      await clock.sleep(settleRetryMs, signal).catch(() => undefined);
    }
  }

  #message(): GenerateRequest {
    const { key, request, output } = this.#options;
    const tokens = output.allTokens();
    const leftMs = request.deadlineMs - this.#parts.clock.nowMs();
    return {
      ...key,
      tag: this.tag,
      frontend: this.#parts.frontend,
      model: request.model.name,
      dpRank: this.worker.dpRank,
      tokens: new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength),
      emitted: output.next,
      choice: request.choice,
      sampling: request.sampling,
      stop: request.stop,
      tenantSalt: request.tenantSalt,
      adapter: "",
      priority: request.hints.priority ?? 0,
      ...(this.#prefill === undefined ? undefined : this.#take()),
      remainingMs: Math.min(longestMs, Math.max(0, Math.floor(leftMs))),
    };
  }

  #answered(payload: Uint8Array): void {
    const entries = this.#entries(payload);
    if (!entries.ok) return this.#refused(entries.error);
    for (const entry of entries.value) this.take(entry, this.#parts.clock.nowMs());
    if (!this.#isOver && !this.#isAccepted) {
      this.#refused(
        fail("decode_error", "Cannot run the stream: the worker's answer is not about it").error,
      );
    }
  }

  #refused(failure: Failure): void {
    this.#parts.metrics.attempts.add(1, { result: failure.code });
    if (failure.code === "no_responders") this.#parts.workers.unreachable(this.worker.instance);
    // A request without an answer may still be run.
    if (failure.code === "timeout") this.#tellCancel();
    this.lose(failure);
  }

  /** This stream's entries in a reply, or the refusal in it. */
  #entries(payload: Uint8Array): Result<StepEntry[]> {
    this.#parts.workers.heard(this.worker.instance);
    if (messageNameOf(payload) === "refusal") {
      const refusal = decode("refusal", payload);
      return refusal.ok ? { ok: false, error: refusal.value.error } : refusal;
    }
    const frame = decodeStepFrame(payload);
    if (!frame.ok) return frame;
    return { ok: true, value: frame.value.entries.filter((entry) => entry.tag === this.tag) };
  }

  #accept(): void {
    if (this.#isAccepted) return;
    this.#isAccepted = true;
    this.#parts.metrics.attempts.add(1, { result: "accepted" });
    this.#options.owner.accepted(this.worker, this.#prefill?.worker);
    this.#tellWord();
  }

  /** New tokens, from either leg. */
  #taken(taken: TakenEntry, nowMs: number): void {
    const { output, owner, key, request } = this.#options;
    this.#fruitlessResumes = 0;
    if (!this.#hasTokens) {
      const { device, host, disk } = output.cached;
      const cachedTokens = device + host + disk;
      this.#parts.ledger.add({ op: "first-token", ...key, cachedTokens });
      this.#parts.demand.firstToken(request.model.hash, nowMs - this.#startMs);
    }
    this.#hasTokens = true;
    owner.tokens(taken);
  }

  /** The log-probability of the first token does not travel with the hand-over, and one token needs none. */
  #maySplit(): boolean {
    const { sampling, stop } = this.#options.request;
    return sampling.logprobs < 0 && stop.maxTokens - this.#firstIndex > 1;
  }

  #openLeg(): PrefillLeg {
    const { placement, request } = this.#options;
    return new PrefillLeg(this.#parts, this, {
      ...{ placement: placement.prefill!, message: this.#message() },
      model: request.model.hash,
    });
  }

  /** What tells the worker to wait for the other, with the block manager that the other writes to. */
  #take(): Pick<GenerateRequest, "handover"> {
    const { model } = this.#options.request;
    const other = this.#prefill!.worker.instance;
    const kvbm = model.cards.find(({ instance }) => instance === other)?.kvbm;
    return { handover: kvbm === undefined ? { part: "take" } : { part: "take", kvbm } };
  }

  /**
   * False where the worker has computed the prompt itself and begins otherwise than the client was told already: the
   * stream goes on elsewhere behind that. What was cached is what the prefill leg found, where that is known.
   */
  #agrees(entry: StepEntry, leg: PrefillLeg): boolean {
    const { output } = this.#options;
    const first = this.#firstIndex;
    if (entry.firstIndex > first && leg.isLive) leg.stop();
    if (leg.hasToken && entry.extra?.cached !== undefined) entry.extra.cached = undefined;
    const isFirst = entry.firstIndex === first && entry.tokens.length > 0 && output.next > first;
    if (!isFirst || output.tokenAt(first) === entry.tokens[0]) return true;
    const text = "Cannot go on with the stream: its worker computed the prompt again, otherwise";
    this.abandon(fail("worker_lost", text).error);
    return false;
  }

  #tellWord(): void {
    const word = this.#word;
    if (word === undefined) return;
    const { bus, subjects } = this.#parts;
    const told = encode("control", { op: "handover", ...this.#options.key, word });
    // Where this is lost the worker waits for its own limit.
    bus.publish(subjects.control(this.worker.instance), told);
    this.#word = undefined;
  }

  #ended(end: StreamEnd): void {
    if (this.#isOver) return;
    if (end.reason === "stop" || end.reason === "length") {
      this.#release({ reason: end.reason, readTo: this.next });
      this.#over.resolve(undefined);
      return this.#options.owner.ended(end);
    }
    // "cancelled" without our asking: the worker lost touch with us, or gave the stream up to shut down.
    const given = "Cannot finish the stream: its worker gave it up";
    this.lose(end.error ?? fail("worker_lost", given).error);
  }

  async #resume(): Promise<void> {
    const { bus, clock, subjects, link, workers } = this.#parts;
    const subject = subjects.control(this.worker.instance);
    const { signal } = this.#stop;
    for (let failures = 0; !this.#isOver;) {
      const before = this.next;
      const reply = await bus.request(
        subject,
        encode("control", { op: "resume", ...this.#options.key, fromIndex: before }),
        { timeoutMs: resumeMs, signal },
      );
      if (this.#isOver) return;
      if (reply.ok) return this.#resumed(reply.value, before);
      const { code } = reply.error;
      if (code === "bus_unavailable") {
        if (!await link.up(signal)) return;
      } else if (code === "no_responders") {
        if (!link.isSettling) {
          workers.unreachable(this.worker.instance);
          return this.lose(reply.error);
        }
      } else if (!isRetryable(code) || ++failures === mostResumeTries) {
        return this.abandon(reply.error);
      }
      await clock.sleep(settleRetryMs, signal).catch(() => undefined);
    }
  }

  #resumed(payload: Uint8Array, before: number): void {
    const entries = this.#entries(payload);
    if (!entries.ok) return this.lose(entries.error);
    const isBehind = entries.value.some((entry) =>
      entry.firstIndex > before || (entry.extra?.end?.outputTokens ?? 0) > before
    );
    if (isBehind) this.#fruitlessResumes += 1;
    this.#isResuming = false;
    if (this.#fruitlessResumes > mostFruitlessResumes) {
      return this.lose(
        fail("worker_lost", "Cannot follow the stream: its worker has lost a part").error,
      );
    }
    for (const entry of entries.value) this.take(entry, this.#parts.clock.nowMs());
  }

  #tellCancel(): void {
    const { bus, subjects } = this.#parts;
    const cancel = encode("control", { op: "cancel", ...this.#options.key });
    // Where this is lost, the worker ends the stream for want of renewals.
    bus.publish(subjects.control(this.worker.instance), cancel);
  }

  /** The one place where an attempt lets go; false where it has already. */
  #release({ reason, readTo }: { readonly reason: string; readonly readTo?: number }): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#prefill?.stop();
    this.#parts.inbox.close(this, readTo);
    this.#parts.ledger.add({
      ...{ op: "complete", ...this.#options.key, outputTokens: this.next, reason },
    });
    this.#parts.demand.completed(this.#options.request.model.hash);
    this.#stop.abort(over);
    return true;
  }
}
