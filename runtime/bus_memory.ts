import { ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type {
  Bus,
  BusMessage,
  BusStatus,
  RequestHandler,
  RequestOptions,
  Subscription,
} from "./bus.ts";
import { busDown, checkPayload, guarded, nobodyServes, sent, StatusSource } from "./bus_status.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import { PendingRequests } from "./pending_requests.ts";
import { runHandler } from "./request_handler.ts";
import { checkPattern, checkSubject, SubjectTable, subscriptionOf } from "./subject.ts";

/** A request's way back. */
type Reply = (result: Result<Uint8Array>) => void;

interface Member {
  readonly view: MemoryBus;
  readonly queue: string | undefined;
  live: boolean;
  deliver(subject: string, payload: Uint8Array, reply: Reply | undefined): void;
}

/** The broker of a bus inside one program: what one view publishes, the others get, in order, in a later microtask. */
export class MemoryHub {
  readonly clock: Clock;
  readonly log: Log;
  readonly #members = new SubjectTable<Member>();
  /** Whose turn it is in each queue group. */
  readonly #turns = new Map<string, number>();
  #tasks: (() => void)[] = [];
  #scheduled = false;

  constructor(parts: { readonly clock: Clock; readonly log: Log }) {
    this.clock = parts.clock;
    this.log = parts.log;
  }

  /** A new client of this hub. */
  connect(): MemoryBus {
    return new MemoryBus(this);
  }

  /** @internal Runs `task` after everything that was sent before it. */
  later(task: () => void): void {
    this.#tasks.push(task);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const tasks = this.#tasks;
      this.#tasks = [];
      for (const run of tasks) guarded(this.log, "delivery", run);
    });
  }

  /** @internal */
  join(pattern: string, member: Member): Subscription {
    this.#members.add(pattern, member);
    return subscriptionOf(pattern, () => {
      member.live = false;
      this.#members.remove(pattern, member);
    });
  }

  /** @internal Hands a message to everyone it is for; false where nobody is. */
  deliver(subject: string, payload: Uint8Array, reply?: Reply): boolean {
    const groups = new Map<string, Member[]>();
    let delivered = false;
    for (const member of this.#members.match(subject)) {
      if (!member.live || member.view.status === "disconnected") continue;
      if (member.queue === undefined) {
        member.deliver(subject, payload, reply);
        delivered = true;
      } else {
        const group = groups.get(member.queue);
        if (group === undefined) groups.set(member.queue, [member]);
        else group.push(member);
      }
    }
    for (const [queue, group] of groups) {
      const turn = this.#turns.get(queue) ?? 0;
      this.#turns.set(queue, (turn + 1) >>> 0);
      group[turn % group.length].deliver(subject, payload, reply);
      delivered = true;
    }
    return delivered;
  }
}

/** One client of a `MemoryHub`. */
export class MemoryBus implements Bus {
  readonly #hub: MemoryHub;
  readonly #status: StatusSource;
  readonly #pending: PendingRequests;
  readonly #subscriptions = new Set<Subscription>();
  #closed = false;

  constructor(hub: MemoryHub) {
    this.#hub = hub;
    this.#status = new StatusSource(hub.log);
    this.#pending = new PendingRequests(hub.clock);
  }

  get status(): BusStatus {
    return this.#status.status;
  }

  onStatus(listener: (status: BusStatus) => void): Disposable {
    return this.#status.listen(listener);
  }

  /** Cuts this view off, as a dead connection does; for tests and the simulator. */
  disconnect(): void {
    this.#status.set("disconnected");
    this.#pending.failAll("bus_unavailable", "The connection to the message bus was lost");
  }

  /** Brings it back; its subscriptions go on. */
  reconnect(): void {
    if (!this.#closed) this.#status.set("connected");
  }

  publish(subject: string, payload: Uint8Array): Result<void> {
    checkSubject(subject);
    if (this.status === "disconnected") return busDown(`publish on ${subject}`);
    const fits = checkPayload(subject, payload);
    if (!fits.ok) return fits;
    const copy = payload.slice();
    this.#hub.later(() => this.#hub.deliver(subject, copy));
    return sent;
  }

  request(
    subject: string,
    payload: Uint8Array,
    options: RequestOptions,
  ): Promise<Result<Uint8Array>> {
    checkSubject(subject);
    if (this.status === "disconnected") return Promise.resolve(busDown(`ask ${subject}`));
    const fits = checkPayload(subject, payload);
    if (!fits.ok) return Promise.resolve(fits);
    const copy = payload.slice();
    return this.#pending.start(subject, options, (id) => {
      const reply = (result: Result<Uint8Array>) => {
        this.#hub.later(() => this.#pending.settle(id, result));
      };
      this.#hub.later(() => {
        if (!this.#hub.deliver(subject, copy, reply)) {
          this.#pending.settle(id, nobodyServes(subject));
        }
      });
      return sent;
    });
  }

  subscribe(
    subject: string,
    handler: (message: BusMessage) => void,
    options: { readonly queue?: string } = {},
  ): Subscription {
    return this.#join(subject, options.queue, (on, payload) => {
      guarded(this.#hub.log, "subscriber", () => handler({ subject: on, payload }));
    });
  }

  serve(
    subject: string,
    handler: RequestHandler,
    options: { readonly queue?: string } = {},
  ): Subscription {
    const { log } = this.#hub;
    const ended = new AbortController();
    const answer = (on: string, payload: Uint8Array, reply: Reply | undefined) => {
      runHandler(handler, payload, { subject: on, signal: ended.signal, log }, (result) => {
        // A view that is cut off cannot answer: its caller runs into its timeout, as over a network.
        if (reply === undefined || this.status === "disconnected") return;
        reply(result.ok ? ok(result.value.slice()) : result);
      });
    };
    return this.#join(subject, options.queue, answer, () => ended.abort());
  }

  flush(): Promise<Result<void>> {
    if (this.status === "disconnected") return Promise.resolve(busDown("flush"));
    return new Promise((resolve) => this.#hub.later(() => resolve(sent)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const flushed = this.flush();
    return flushed.then(() => {
      this.#closed = true;
      for (const subscription of [...this.#subscriptions]) subscription[Symbol.dispose]();
      this.disconnect();
    });
  }

  #join(
    pattern: string,
    queue: string | undefined,
    deliver: Member["deliver"],
    onEnd: () => void = () => {},
  ): Subscription {
    checkPattern(pattern);
    if (this.#closed) throw new Error(`Cannot subscribe to ${pattern}: the bus is closed`);
    const joined = this.#hub.join(pattern, { view: this, queue, live: true, deliver });
    const subscription = subscriptionOf(pattern, () => {
      joined[Symbol.dispose]();
      this.#subscriptions.delete(subscription);
      onEnd();
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }
}
