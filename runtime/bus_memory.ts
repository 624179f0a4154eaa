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
type Reply = (result: Result<Uint8Array>, from: MemoryBus) => void;

/** One message on its way to one view of a hub. */
export interface CarriedMessage {
  readonly from: MemoryBus;
  readonly to: MemoryBus;
  readonly subject: string;
  /** Not to be changed or kept. */
  readonly payload: Uint8Array;
  readonly kind: "message" | "request" | "reply";
}

/** What lies between the views of a hub, for the simulator: without one, messages arrive at once and always. */
export interface MemoryNetwork {
  /** Takes a message over and calls `arrive` for each copy that gets there, at any time from now on; never, where it is lost. */
  carry(message: CarriedMessage, arrive: () => void): void;
}

/** A message as a hub hands it on. */
interface Sent {
  readonly from: MemoryBus;
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly reply?: Reply;
}

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
  readonly #network: MemoryNetwork | undefined;
  readonly #members = new SubjectTable<Member>();
  /** Whose turn it is in each queue group. */
  readonly #turns = new Map<string, number>();
  #tasks: (() => void)[] = [];
  #scheduled = false;

  constructor(
    parts: { readonly clock: Clock; readonly log: Log; readonly network?: MemoryNetwork },
  ) {
    this.clock = parts.clock;
    this.log = parts.log;
    this.#network = parts.network;
  }

  /** A new client of this hub. `clock`: that of its program, where it has one of its own. */
  connect(clock: Clock = this.clock): MemoryBus {
    return new MemoryBus(this, clock);
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
  deliver(message: Sent): boolean {
    const groups = new Map<string, Member[]>();
    let delivered = false;
    for (const member of this.#members.match(message.subject)) {
      if (!member.live || member.view.status === "disconnected") continue;
      if (member.queue === undefined) {
        this.#hand(member, message);
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
      this.#hand(group[turn % group.length], message);
      delivered = true;
    }
    return delivered;
  }

  /** @internal Brings a reply back to who asked. */
  answer(reply: Omit<CarriedMessage, "kind">, arrive: () => void): void {
    if (this.#network === undefined) this.later(arrive);
    else this.#network.carry({ ...reply, kind: "reply" }, arrive);
  }

  #hand(member: Member, { from, subject, payload, reply }: Sent): void {
    if (this.#network === undefined) return member.deliver(subject, payload, reply);
    const kind = reply === undefined ? "message" : "request";
    this.#network.carry({ from, to: member.view, subject, payload, kind }, () => {
      if (!member.live || member.view.status === "disconnected") return;
      guarded(this.log, "delivery", () => member.deliver(subject, payload, reply));
    });
  }
}

/** One client of a `MemoryHub`. */
export class MemoryBus implements Bus {
  readonly #hub: MemoryHub;
  readonly #status: StatusSource;
  readonly #pending: PendingRequests;
  readonly #subscriptions = new Set<Subscription>();
  /** The hub's side of them. */
  readonly #joined = new Set<Subscription>();
  #closed = false;
  #isCut = false;

  constructor(hub: MemoryHub, clock: Clock = hub.clock) {
    this.#hub = hub;
    this.#status = new StatusSource(hub.log);
    this.#pending = new PendingRequests(clock);
  }

  get status(): BusStatus {
    return this.#isCut ? "disconnected" : this.#status.status;
  }

  onStatus(listener: (status: BusStatus) => void): Disposable {
    return this.#status.listen(listener);
  }

  /** Cuts this view off, as a dead connection does; for tests and the simulator. */
  disconnect(): void {
    this.#status.set("disconnected");
    this.#pending.failAll("bus_unavailable", "The connection to the message bus was lost");
  }

  /** Ends this view as the death of its program does: the hub forgets it, and nobody on this side is told. */
  cut(): void {
    this.#closed = this.#isCut = true;
    for (const joined of this.#joined) joined[Symbol.dispose]();
    this.#joined.clear();
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
    this.#hub.later(() => this.#hub.deliver({ from: this, subject, payload: copy }));
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
      const reply = (result: Result<Uint8Array>, from: MemoryBus) => {
        const bytes = result.ok ? result.value : new Uint8Array();
        this.#hub.answer(
          { from, to: this, subject, payload: bytes },
          () => this.#pending.settle(id, result),
        );
      };
      this.#hub.later(() => {
        if (!this.#hub.deliver({ from: this, subject, payload: copy, reply })) {
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
        reply(result.ok ? ok(result.value.slice()) : result, this);
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
    this.#joined.add(joined);
    const subscription = subscriptionOf(pattern, () => {
      joined[Symbol.dispose]();
      this.#joined.delete(joined);
      this.#subscriptions.delete(subscription);
      onEnd();
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }
}
