import { fail, otherLeg } from "@pixii/wire";
import type { EntryExtra, Failure, GenerateRequest, StepEntry, WorkerRank } from "@pixii/wire";
import type { Followed } from "./followed.ts";
import { over } from "./stream_parts.ts";
import type { StreamParts } from "./stream_parts.ts";
import { WorkerTalk } from "./worker_talk.ts";
import type { WorkerAnswer } from "./worker_talk.ts";

/** Where a prompt is computed, and what that takes there. */
export interface PrefillPlacement {
  readonly worker: WorkerRank;
  /** Prompt tokens that must be computed. */
  readonly prefillTokens: number;
  readonly blocks: number;
}

/** The attempt that a leg belongs to. */
export interface PrefillLegOwner {
  /** The next output index that the client needs. */
  readonly next: number;
  /** An entry of the leg: its tokens are the stream's. True where tokens before it are missing. */
  legTook(entry: StepEntry): boolean;
  /** The leg is over: all is given, or it is lost, or the stream itself has ended with it. */
  legOver(how: "given" | "lost" | NonNullable<EntryExtra["end"]>): void;
  broken(error: unknown): void;
}

/**
 * The prefill leg of an attempt: another worker computes the prompt, says the first token and gives its blocks. Booked,
 * sent, followed; released exactly once on every path. It is never tried twice: where it is lost the decode worker
 * computes the prompt.
 */
export class PrefillLeg implements Followed {
  readonly tag: number;
  readonly worker: WorkerRank;
  readonly #parts: StreamParts;
  readonly #owner: PrefillLegOwner;
  readonly #message: GenerateRequest;
  readonly #stop = new AbortController();
  readonly #talk: WorkerTalk;
  #isOver = false;
  #isAccepted = false;
  #isResuming = false;
  #hasToken = false;
  #heardMs: number;

  /** `message` is the decode leg's. */
  constructor(
    parts: StreamParts,
    owner: PrefillLegOwner,
    { placement, message, model }: {
      readonly placement: PrefillPlacement;
      readonly message: GenerateRequest;
      readonly model: Extract<Parameters<StreamParts["ledger"]["add"]>[0], { op: "book" }>["model"];
    },
  ) {
    this.#parts = parts;
    this.#owner = owner;
    this.worker = placement.worker;
    this.tag = parts.inbox.freshTag();
    const { instance, dpRank } = placement.worker;
    this.#message = {
      ...message,
      ...{ tag: this.tag, dpRank, leg: otherLeg(message.leg), handover: { part: "give" } },
    };
    this.#talk = new WorkerTalk(parts, { key: this.#key, tag: this.tag, worker: this.worker });
    this.#heardMs = parts.clock.nowMs();
    parts.inbox.open(this);
    const { prefillTokens, blocks } = placement;
    parts.ledger.add({
      ...{ op: "book", ...this.#key, model, worker: { instance, dpRank } },
      ...{ frontend: parts.frontend, prefillTokens, blocks },
    });
  }

  get next(): number {
    return this.#owner.next;
  }

  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  get heardMs(): number {
    return this.#heardMs;
  }

  /** True until it was given, lost or stopped. */
  get isLive(): boolean {
    return !this.#isOver;
  }

  /** True once the first token and what the worker had cached are known. */
  get hasToken(): boolean {
    return this.#hasToken;
  }

  /** Sends it. */
  start(): void {
    this.#ask().catch((error) => this.broken(error));
  }

  take(entry: StepEntry, nowMs: number): void {
    if (this.#isOver) return;
    this.#heardMs = nowMs;
    this.#isAccepted = true;
    if (entry.tokens.length > 0 && !this.#hasToken) {
      this.#hasToken = true;
      const { device = 0, host = 0, disk = 0 } = entry.extra?.cached ?? {};
      this.#parts.ledger.add({
        ...{ op: "first-token", ...this.#key, cachedTokens: device + host + disk },
      });
    }
    const isGap = this.#owner.legTook(entry);
    if (this.#isOver) return;
    if (isGap) return this.resume("gap");
    const { end } = entry.extra ?? {};
    if (end !== undefined) this.#ended(end);
  }

  broken(error: unknown): void {
    this.stop();
    this.#owner.broken(error);
  }

  resume(cause: string): void {
    if (this.#isResuming || this.#isOver) return;
    this.#isResuming = true;
    this.#parts.metrics.resumes.add(1, { cause });
    this.#resume().catch((error) => this.broken(error));
  }

  abandon(failure: Failure): void {
    this.#lose(failure);
  }

  /** Ends the leg and tells the worker. Idempotent. */
  stop(): void {
    if (this.#release("cancelled")) this.#talk.cancel();
  }

  get #key() {
    const { requestId, attempt, leg } = this.#message;
    return { requestId, attempt, leg };
  }

  async #ask(): Promise<void> {
    const answer = await this.#talk.generate(this.#message, this.#stop.signal);
    if (this.#isOver) return;
    if (answer.kind === "unheard") {
      // Its frames overtook the reply, or the reply is what was lost.
      if (this.#isAccepted) return;
      if (answer.failure.code === "no_responders") {
        this.#parts.workers.unreachable(this.worker.instance);
      }
    }
    this.#answered(answer);
  }

  async #resume(): Promise<void> {
    const answer = await this.#talk.resume(this.next, this.#stop.signal);
    this.#isResuming = false;
    if (!this.#isOver) this.#answered(answer);
  }

  #answered(answer: WorkerAnswer): void {
    if (answer.kind !== "entries") return this.#lose(answer.failure);
    for (const entry of answer.entries) this.take(entry, this.#parts.clock.nowMs());
    if (this.#isOver || this.#isAccepted) return;
    const text = "Cannot split the request: the worker's answer is not about it";
    this.#lose(fail("decode_error", text).error);
  }

  #ended(end: NonNullable<EntryExtra["end"]>): void {
    const isDone = end.reason === "stop" || end.reason === "length";
    if (!isDone) {
      const given = "Cannot split the request: its prefill worker gave it up";
      return this.#lose(end.error ?? fail("worker_lost", given).error);
    }
    const isWhole = end.reason === "stop" ||
      end.outputTokens >= this.#message.stop.maxTokens;
    this.#parts.metrics.attempts.add(1, { result: "given" });
    if (this.#release(end.reason)) this.#owner.legOver(isWhole ? end : "given");
  }

  #lose(failure: Failure): void {
    if (this.#isOver) return;
    this.#parts.metrics.attempts.add(1, { result: "prefill_lost" });
    this.#parts.log.info("a prefill leg is lost: the decode worker computes the prompt", {
      ...{ request: this.#message.requestId, worker: this.worker.instance, code: failure.code },
    });
    // A request without an answer may still be run.
    this.stop();
    this.#owner.legOver("lost");
  }

  /** The one place where a leg lets go; false where it has already. */
  #release(reason: string): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#parts.inbox.close(this, this.next);
    this.#parts.ledger.add({ op: "complete", ...this.#key, reason });
    this.#stop.abort(over);
    return true;
  }
}
