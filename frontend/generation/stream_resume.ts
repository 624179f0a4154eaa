import { fail, isRetryable } from "@pixii/wire";
import type { Failure, StepEntry, WorkerRank } from "@pixii/wire";
import type { StreamParts } from "./stream_parts.ts";
import { settleRetryMs } from "./stream_parts.ts";
import type { WorkerTalk } from "./worker_talk.ts";

/** Resume requests that fail, one after another; then the worker does not serve its streams. */
const mostTries = 5;
/** Resumes in a row that bring nothing new: then the worker's numbers do not add up. */
const mostFruitless = 5;

/** The stream that is resumed. */
export interface ResumeOwner {
  readonly worker: WorkerRank;
  /** The next output index wanted. */
  readonly next: number;
  readonly isOver: boolean;
  take(entry: StepEntry, nowMs: number): void;
  lose(failure: Failure): void;
  abandon(failure: Failure): void;
  broken(error: unknown): void;
}

/** Asks a worker for what a stream has missed: one request at a time, again while the bus is away, not for ever. */
export class StreamResume {
  readonly #parts: StreamParts;
  readonly #owner: ResumeOwner;
  readonly #talk: WorkerTalk;
  readonly #signal: AbortSignal;
  #isAsking = false;
  #fruitless = 0;

  /** Stops asking when `signal` aborts. */
  constructor(
    parts: StreamParts,
    owner: ResumeOwner,
    by: { readonly talk: WorkerTalk; readonly signal: AbortSignal },
  ) {
    this.#parts = parts;
    this.#owner = owner;
    this.#talk = by.talk;
    this.#signal = by.signal;
  }

  /** Asks for everything from the next index on, unless it is asking already. */
  start(cause: string): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#parts.metrics.resumes.add(1, { cause });
    this.#run().catch((error) => this.#owner.broken(error));
  }

  /** The stream got new tokens: its worker's numbers add up. */
  progressed(): void {
    this.#fruitless = 0;
  }

  async #run(): Promise<void> {
    const { clock, link, workers } = this.#parts;
    const owner = this.#owner;
    for (let failures = 0; !owner.isOver;) {
      const before = owner.next;
      const answer = await this.#talk.resume(before, this.#signal);
      if (owner.isOver) return;
      if (answer.kind === "entries") return this.#came(answer.entries, before);
      const { failure } = answer;
      if (answer.kind === "refused") return owner.lose(failure);
      const { code } = failure;
      if (code === "bus_unavailable") {
        if (!await link.up(this.#signal)) return;
      } else if (code === "no_responders") {
        if (!link.isSettling) {
          workers.unreachable(owner.worker.instance);
          return owner.lose(failure);
        }
      } else if (!isRetryable(code) || ++failures === mostTries) {
        return owner.abandon(failure);
      }
      await clock.sleep(settleRetryMs, this.#signal).catch(() => undefined);
    }
  }

  #came(entries: readonly StepEntry[], before: number): void {
    const isBehind = entries.some((entry) =>
      entry.firstIndex > before || (entry.extra?.end?.outputTokens ?? 0) > before
    );
    if (isBehind) this.#fruitless += 1;
    this.#isAsking = false;
    if (this.#fruitless > mostFruitless) {
      const text = "Cannot follow the stream: its worker has lost a part";
      return this.#owner.lose(fail("worker_lost", text).error);
    }
    for (const entry of entries) this.#owner.take(entry, this.#parts.clock.nowMs());
  }
}
