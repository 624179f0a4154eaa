import { decode, encode, limits, streamKeyText } from "@pixii/wire";
import type { InstanceId, RouteReply, StreamKey, Subjects } from "@pixii/wire";
import type { Bus, Clock, Log } from "@pixii/runtime";

/** How often silent routers are looked for while a request waits. */
const lookMs = 250;
/** Answers kept that came before their `queued`: both are on their way at once. */
const mostEarly = 64;

/** How a wait in a router's queue ended. `silent`: the router is down. */
export type WaitEnd =
  | { readonly kind: "reply"; readonly reply: RouteReply }
  | { readonly kind: "silent" }
  | { readonly kind: "cancelled" };

/** One request in a router's queue. */
interface Wait {
  readonly key: StreamKey;
  readonly router: InstanceId;
  heardMs: number;
  end(end: WaitEnd): void;
}

/** This frontend's requests that wait in routers' queues: hears their notices, notices silence, tells who gave up. */
export class QueueWaits implements Disposable {
  readonly #options: {
    readonly bus: Bus;
    readonly clock: Clock;
    readonly log: Log;
    readonly subjects: Subjects;
  };
  readonly #subscription: Disposable;
  readonly #waits = new Map<string, Wait>();
  readonly #early = new Map<string, RouteReply>();
  #looks: Disposable | undefined;

  /** Listens from now on: a notice may be faster than the `queued` it follows. */
  constructor(options: {
    bus: Bus;
    clock: Clock;
    log: Log;
    subjects: Subjects;
    frontend: InstanceId;
  }) {
    this.#options = options;
    const { bus, subjects, frontend } = options;
    this.#subscription = bus.subscribe(
      subjects.notices(frontend),
      ({ payload }) => this.#onNotice(payload),
    );
  }

  /** Requests that wait now. */
  get size(): number {
    return this.#waits.size;
  }

  /** Waits for what the router decides; when `signal` aborts, the router is told. */
  async wait(key: StreamKey, router: InstanceId, signal: AbortSignal): Promise<WaitEnd> {
    const text = streamKeyText(key);
    const early = this.#early.get(text);
    if (early !== undefined) {
      this.#early.delete(text);
      return { kind: "reply", reply: early };
    }
    if (signal.aborted) return this.#cancel(key, router);
    const { clock } = this.#options;
    const ended = Promise.withResolvers<WaitEnd>();
    const heardMs = clock.nowMs();
    const onAbort = () => end(this.#cancel(key, router));
    const end = (how: WaitEnd) => {
      this.#waits.delete(text);
      signal.removeEventListener("abort", onAbort);
      this.#rest();
      ended.resolve(how);
    };
    this.#waits.set(text, { key, router, heardMs, end });
    this.#looks ??= clock.every(lookMs, () => this.#look());
    signal.addEventListener("abort", onAbort, { once: true });
    return await ended.promise;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const { key, router, end } of [...this.#waits.values()]) end(this.#cancel(key, router));
  }

  #cancel({ requestId, attempt, leg }: StreamKey, router: InstanceId): WaitEnd {
    const { bus, subjects } = this.#options;
    const message = { op: "cancel-route", requestId, attempt, leg } as const;
    bus.publish(subjects.control(router), encode("control", message));
    return { kind: "cancelled" };
  }

  #rest(): void {
    if (this.#waits.size > 0) return;
    this.#looks?.[Symbol.dispose]();
    this.#looks = undefined;
  }

  #look(): void {
    const { clock, log, bus } = this.#options;
    const nowMs = clock.nowMs();
    for (const wait of [...this.#waits.values()]) {
      // While our own connection is away nobody can be heard.
      if (bus.status === "disconnected") wait.heardMs = nowMs;
      if (nowMs - wait.heardMs < limits.queueSilentMs) continue;
      log.warn("a router says nothing of a request in its queue", { router: wait.router });
      this.#cancel(wait.key, wait.router);
      wait.end({ kind: "silent" });
    }
  }

  #onNotice(payload: Uint8Array): void {
    const { clock, log } = this.#options;
    const notice = decode("routeNotice", payload);
    if (!notice.ok) {
      return log.warn("a router's notice is not understood", { reason: notice.error.message });
    }
    const { value } = notice;
    if (value.kind === "waiting") {
      const nowMs = clock.nowMs();
      for (const key of value.streams) {
        const wait = this.#waits.get(streamKeyText(key));
        if (wait?.router === value.router) wait.heardMs = nowMs;
      }
      return;
    }
    const reply = decode("routeReply", value.reply);
    if (!reply.ok) {
      return log.warn("a router's answer is not understood", { reason: reply.error.message });
    }
    const text = streamKeyText(value);
    const wait = this.#waits.get(text);
    if (wait !== undefined) return wait.end({ kind: "reply", reply: reply.value });
    this.#early.set(text, reply.value);
    for (const oldest of this.#early.keys()) {
      if (this.#early.size > mostEarly) this.#early.delete(oldest);
      else break;
    }
  }
}
