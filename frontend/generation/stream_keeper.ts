import { encode, fail, limits } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import type { Followed } from "./followed.ts";
import type { StreamParts } from "./stream_parts.ts";

/** A stream silent for this long while its worker lives is asked about: the worker may have forgotten it. */
const idleMs = 5_000;
/** Most streams of one renewal: at most 11 bytes each, far below the message limit. */
const renewStreams = 32_768;

/** Keeps running streams alive and notices dead ones: renewals, probes, resumes after a reconnect. */
export class StreamKeeper implements Disposable {
  readonly #parts: StreamParts;
  readonly #open: Disposable[];

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#open = [
      parts.clock.every(limits.renewEveryMs, () => this.#renew()),
      parts.workers.onTick((nowMs) => this.#watch(nowMs)),
    ];
  }

  /** After a reconnect: frames were lost, every stream asks for what it missed. */
  resumeAll(): void {
    for (const [, attempts] of this.#parts.inbox.byWorker()) {
      for (const attempt of attempts) if (attempt.isAccepted) attempt.resume("reconnect");
    }
  }

  [Symbol.dispose](): void {
    for (const one of this.#open.splice(0)) one[Symbol.dispose]();
  }

  #renew(): void {
    const { bus, subjects, frontend, inbox } = this.#parts;
    const byWorker = new Map<InstanceId, (readonly [number, number])[]>();
    for (const [worker, attempts] of inbox.byWorker()) {
      byWorker.set(worker, attempts.map((one) => [one.tag, one.next] as const));
    }
    for (const [worker, read] of inbox.takeRead()) {
      byWorker.set(worker, [...byWorker.get(worker) ?? [], ...read]);
    }
    for (const [worker, all] of byWorker) {
      for (let i = 0; i < all.length; i += renewStreams) {
        const streams = all.slice(i, i + renewStreams) as [number, number][];
        // A lost renewal costs nothing: workers wait for four of them.
        bus.publish(
          subjects.control(worker),
          encode("control", { op: "renew", frontend, streams }),
        );
      }
    }
  }

  #watch(nowMs: number): void {
    const { bus, workers, inbox } = this.#parts;
    if (bus.status === "disconnected") return;
    for (const [worker, attempts] of inbox.byWorker()) {
      const state = workers.state(worker);
      if (state === "dead") this.#lose(worker, attempts);
      else if (state === "suspect") attempts.find((one) => one.isAccepted)?.resume("suspect");
      else this.#askIdle(attempts, nowMs);
    }
    workers.prune((worker) => inbox.countAt(worker) > 0);
  }

  #askIdle(attempts: readonly Followed[], nowMs: number): void {
    for (const attempt of attempts) {
      if (attempt.isAccepted && nowMs - attempt.heardMs > idleMs) attempt.resume("idle");
    }
  }

  #lose(worker: InstanceId, attempts: readonly Followed[]): void {
    this.#parts.log.warn("a worker is lost", { worker, streams: attempts.length });
    const { error } = fail("worker_lost", "Cannot finish the stream: its worker fell silent");
    for (const attempt of attempts) attempt.abandon(error);
  }
}
