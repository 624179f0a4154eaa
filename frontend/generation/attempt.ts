import { fail, otherLeg } from "@pixii/wire";
import type {
  EntryExtra,
  Failure,
  GenerateRequest,
  StepEntry,
  StreamKey,
  WorkerRank,
} from "@pixii/wire";
import type { StreamOutput, TakenEntry } from "../core/stream_output.ts";
import type { Followed } from "./followed.ts";
import { generateMessage } from "./generate_message.ts";
import { PrefillLeg } from "./prefill_leg.ts";
import type { PrefillLegOwner } from "./prefill_leg.ts";
import type { Placement } from "./route_client.ts";
import { maySplit, takeFrom } from "./split_rule.ts";
import type { StreamRequest } from "./stream.ts";
import { over, settleRetryMs } from "./stream_parts.ts";
import type { StreamParts } from "./stream_parts.ts";
import { StreamResume } from "./stream_resume.ts";
import type { ResumeOwner } from "./stream_resume.ts";
import { WorkerTalk } from "./worker_talk.ts";

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
export class Attempt implements Followed, PrefillLegOwner, ResumeOwner {
  readonly tag: number;
  readonly worker: WorkerRank;
  readonly #parts: StreamParts;
  readonly #options: AttemptOptions;
  readonly #stop = new AbortController();
  readonly #talk: WorkerTalk;
  readonly #resume: StreamResume;
  readonly #over = Promise.withResolvers<Failure | undefined>();
  #isOver = false;
  #isAccepted = false;
  #hasTokens = false;
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
    this.#talk = new WorkerTalk(parts, { key, tag: this.tag, worker: this.worker });
    this.#resume = new StreamResume(parts, this, { talk: this.#talk, signal: this.#stop.signal });
    const { prefillTokens, blocks } = placement;
    const isSplit = placement.prefill !== undefined && maySplit(request, this.#firstIndex);
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

  /** True once it ended, was lost or stopped. */
  get isOver(): boolean {
    return this.#isOver;
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
    if (!this.#isOver) this.#talk.cancel();
    this.lose(failure);
  }

  /** Ends the attempt and tells the worker. Idempotent. */
  stop(): void {
    if (!this.#release({ reason: "cancelled" })) return;
    this.#talk.cancel();
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
      this.#talk.cancel();
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
    if (!this.#isOver) this.#resume.start(cause);
  }

  async #ask(): Promise<void> {
    const { clock, link } = this.#parts;
    const { signal } = this.#stop;
    while (!this.#isOver) {
      const answer = await this.#talk.generate(this.#message(), signal);
      if (this.#isOver) return;
      if (answer.kind === "entries") return this.#answered(answer.entries);
      const { failure } = answer;
      if (answer.kind === "refused") return this.#refused(failure);
      // Its frames overtook the reply, or the reply is what was lost.
      if (this.#isAccepted) return;
      const mayComeBack = failure.code === "bus_unavailable" ||
        (failure.code === "no_responders" && link.isSettling);
      if (!mayComeBack) return this.#refused(failure);
      if (!await link.up(signal)) return;
      await clock.sleep(settleRetryMs, signal).catch(() => undefined);
    }
  }

  #message(): GenerateRequest {
    const { key, request, output, placement: { holder } } = this.#options;
    const { clock, frontend } = this.#parts;
    const { dpRank } = this.worker;
    const message = generateMessage(request, {
      ...{ key, tag: this.tag, frontend, dpRank, output, nowMs: clock.nowMs() },
      holder,
    });
    const other = this.#prefill?.worker.instance;
    return other === undefined ? message : { ...message, ...takeFrom(request, other) };
  }

  #answered(entries: readonly StepEntry[]): void {
    for (const entry of entries) this.take(entry, this.#parts.clock.nowMs());
    if (this.#isOver || this.#isAccepted) return;
    const text = "Cannot run the stream: the worker's answer is not about it";
    this.#refused(fail("decode_error", text).error);
  }

  #refused(failure: Failure): void {
    this.#parts.metrics.attempts.add(1, { result: failure.code });
    if (failure.code === "no_responders") this.#parts.workers.unreachable(this.worker.instance);
    // A request without an answer may still be run.
    if (failure.code === "timeout") this.#talk.cancel();
    this.lose(failure);
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
    this.#resume.progressed();
    if (!this.#hasTokens) {
      const { device, host, disk } = output.cached;
      const cachedTokens = device + host + disk;
      this.#parts.ledger.add({ op: "first-token", ...key, cachedTokens });
      this.#parts.demand.firstToken(request.model.hash, nowMs - this.#startMs);
    }
    this.#hasTokens = true;
    owner.tokens(taken);
  }

  #openLeg(): PrefillLeg {
    const { placement, request } = this.#options;
    return new PrefillLeg(this.#parts, this, {
      ...{ placement: placement.prefill!, message: this.#message() },
      model: request.model.hash,
    });
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
    if (this.#word === undefined) return;
    this.#talk.handover(this.#word);
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
