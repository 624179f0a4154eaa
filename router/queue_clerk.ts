import { decode, encode, limits, mostNoticeStreams, subjects as subjectsOf } from "@pixii/wire";
import type { InstanceId, LedgerEntry, StreamKey, Subjects } from "@pixii/wire";
import type { ServiceContext } from "@pixii/runtime";
import type { RouteDesk, RouteOutcome, Settled } from "./core/route_desk.ts";
import type { Waiting } from "./core/waiting.ts";
import type { RouterMetrics } from "./metrics.ts";

/** How often time is looked at while somebody waits. */
const tickMs = 50;

/** What the clerk works with. */
export interface QueueClerkParts {
  readonly context: ServiceContext;
  readonly desk: RouteDesk;
  readonly metrics: RouterMetrics;
  /** Encodes and counts the answer to a request that waited. */
  readonly reply: (waiting: Waiting, outcome: Settled["outcome"]) => Uint8Array;
  readonly isPresent: (frontend: InstanceId) => boolean;
}

/** Tells frontends about their requests that wait: a beat every `limits.queueBeatMs`, and the answer; hears `cancel-route`. Does nothing while nobody waits. */
export class QueueClerk implements Disposable {
  readonly #parts: QueueClerkParts;
  readonly #subjects: Subjects;
  readonly #subscription: Disposable;
  #ticks: Disposable | undefined;
  /** The end of those that are gathered. */
  #gathering: Disposable | undefined;
  #beatMs = 0;

  constructor(parts: QueueClerkParts) {
    this.#parts = parts;
    const { bus, namespace, instance } = parts.context;
    this.#subjects = subjectsOf(namespace);
    this.#subscription = bus.subscribe(
      this.#subjects.control(instance),
      ({ payload }) => this.#onControl(payload),
    );
  }

  /** A request waits from now on. */
  queued(): void {
    const { clock } = this.#parts.context;
    this.#gather();
    if (this.#ticks !== undefined) return;
    this.#beatMs = clock.nowMs();
    this.#ticks = clock.every(tickMs, () => this.#tick());
  }

  /** Load changed: whoever can be placed is. */
  look(): void {
    const { desk, context } = this.#parts;
    if (desk.size === 0) return;
    const { clock, chance } = context;
    const moment = { nowMs: clock.nowMs(), wallMs: clock.wallMs(), draw: () => chance.float() };
    this.#tell(desk.pass(moment));
  }

  /** A ledger entry came. */
  heard(entry: LedgerEntry): void {
    if (this.#parts.desk.heard(entry)) {
      this.#parts.metrics.queueEnded.add(1, { result: "cancelled" });
    }
  }

  /** Answers everybody: the router shuts down. */
  close(): void {
    this.#tell(this.#parts.desk.closing());
    this.#gathering?.[Symbol.dispose]();
    this.#gathering = undefined;
    this.#ticks?.[Symbol.dispose]();
    this.#ticks = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
    this.#subscription[Symbol.dispose]();
  }

  /** Requests that are gathered are looked at together when their time is over, not only at the next tick. */
  #gather(): void {
    if (this.#gathering !== undefined) return;
    const { clock } = this.#parts.context;
    const nowMs = clock.nowMs();
    const readyMs = this.#parts.desk.nextReadyMs(nowMs);
    if (readyMs === Infinity) return;
    this.#gathering = clock.timer(readyMs - nowMs, () => {
      this.#gathering = undefined;
      this.look();
      // Of another model, or a timer that fired a little early.
      this.#gather();
    });
  }

  #tick(): void {
    const { desk, context, isPresent } = this.#parts;
    const nowMs = context.clock.nowMs();
    this.look();
    if (desk.size === 0) {
      this.#ticks?.[Symbol.dispose]();
      this.#ticks = undefined;
    } else if (nowMs - this.#beatMs >= limits.queueBeatMs) {
      this.#beatMs = nowMs;
      this.#tell(desk.frontendsGone(isPresent, nowMs));
      this.#beat();
    }
  }

  #beat(): void {
    const { desk, context } = this.#parts;
    const { instance: router, bus } = context;
    const byFrontend = new Map<InstanceId, StreamKey[]>();
    for (const queue of desk.queues.values()) {
      for (const { request } of queue.all()) {
        const { requestId, attempt, leg, frontend } = request;
        const streams = byFrontend.get(frontend) ?? [];
        if (streams.length === 0) byFrontend.set(frontend, streams);
        streams.push({ requestId, attempt, leg });
      }
    }
    for (const [frontend, streams] of byFrontend) {
      for (let at = 0; at < streams.length; at += mostNoticeStreams) {
        const some = streams.slice(at, at + mostNoticeStreams);
        const notice = encode("routeNotice", { kind: "waiting", router, streams: some });
        bus.publish(this.#subjects.notices(frontend), notice);
      }
    }
  }

  #tell(settled: readonly Settled[]): void {
    const { context, metrics, reply } = this.#parts;
    const { instance: router, bus, clock } = context;
    for (const { waiting, outcome } of settled) {
      const { requestId, attempt, leg, frontend } = waiting.request;
      const bytes = reply(waiting, outcome);
      metrics.queueSeconds.observe((clock.nowMs() - waiting.sinceMs) / 1000);
      metrics.queueEnded.add(1, { result: resultOf(outcome) });
      const about = { kind: "answer", router, requestId, attempt, leg, reply: bytes } as const;
      bus.publish(this.#subjects.notices(frontend), encode("routeNotice", about));
    }
  }

  #onControl(payload: Uint8Array): void {
    const message = decode("control", payload);
    // Other conversations share the subject; what cannot be read is theirs to count.
    if (!message.ok || message.value.op !== "cancel-route") return;
    const { requestId, attempt, leg } = message.value;
    this.heard({ op: "complete", requestId, attempt, leg });
  }
}

function resultOf(outcome: Exclude<RouteOutcome, { readonly kind: "queued" }>): string {
  return outcome.kind === "placed" ? "placed" : outcome.error.code;
}
