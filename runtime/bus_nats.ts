import {
  createInbox,
  headers,
  NatsConnectionImpl,
  setTransportFactory,
} from "@nats-io/nats-core/internal";
import type { Msg, NatsConnection, Status } from "@nats-io/nats-core/internal";
import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { patienceMs } from "./bus.ts";
import type {
  Bus,
  BusMessage,
  BusStatus,
  PublishOptions,
  RequestHandler,
  RequestOptions,
  Subscription,
} from "./bus.ts";
import { busDown, checkPayload, guarded, nobodyServes, sent, StatusSource } from "./bus_status.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import { addressesOf, NatsTransport } from "./nats_transport.ts";
import { PendingRequests } from "./pending_requests.ts";
import { failureBytes, readFailure, runHandler } from "./request_handler.ts";
import { shownUrl } from "./server_url.ts";
import { checkPattern, checkSubject, subscriptionOf } from "./subject.ts";

/** Pause between two attempts to reach the server again, in ms. */
const reconnectEveryMs = 100;
/** Longest wait for one connection attempt, in ms. */
const dialMs = 2_000;
/** A silent connection is given up after two of these, in ms. */
const pingEveryMs = 2_000;
/** Longest wait for what was published to reach the server when the bus closes, in ms. */
const closingFlushMs = 1_000;
/** Header that marks a reply as a failure, which is its payload. */
const failureHeader = "Pixii-Failure";

interface Outgoing {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly reply: string | undefined;
  readonly failed: boolean | undefined;
}

/** What a NATS bus is made of. */
export interface NatsBusParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Shown in the server's connection list. */
  readonly name?: string;
}

/** Connects once to `url`; `bus_unavailable` where no server answers. A user and password in the URL are used and never shown. */
export async function connectNats(url: URL, parts: NatsBusParts): Promise<Result<NatsBus>> {
  setTransportFactory({ factory: () => new NatsTransport(), dnsResolveFn: addressesOf });
  try {
    const connection = await NatsConnectionImpl.connect({
      servers: url.host,
      ...credentials(url),
      ...(parts.name === undefined ? {} : { name: parts.name }),
      ...(url.protocol === "tls:" ? { tls: {} } : {}),
      maxReconnectAttempts: -1,
      reconnectTimeWait: reconnectEveryMs,
      reconnectJitter: 0,
      reconnectJitterTLS: 0,
      pingInterval: pingEveryMs,
      maxPingOut: 2,
      timeout: dialMs,
    });
    return ok(new NatsBus(connection, parts));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(
      "bus_unavailable",
      `Cannot reach NATS at ${shownUrl(url)}: ${reason}; start nats-server there or set --nats`,
    );
  }
}

function credentials(url: URL): { user?: string; pass?: string; token?: string } {
  const user = decodeURIComponent(url.username);
  if (user === "") return {};
  return url.password === "" ? { token: user } : { user, pass: decodeURIComponent(url.password) };
}

/** The bus over NATS core. Replies come to one inbox per connection; their last token numbers the request. */
export class NatsBus implements Bus {
  readonly #connection: NatsConnection;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #status: StatusSource;
  readonly #pending: PendingRequests;
  readonly #subscriptions = new Set<Subscription>();
  readonly #inbox: string;
  readonly #watched: Promise<void>;
  #outgoing: Outgoing[] = [];
  #turn: Disposable | undefined;
  #patience: Disposable | undefined;
  #closed = false;

  constructor(connection: NatsConnection, parts: NatsBusParts) {
    this.#connection = connection;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#status = new StatusSource(parts.log);
    this.#pending = new PendingRequests(parts.clock);
    this.#inbox = `${createInbox()}.`;
    connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#settle(message);
        else this.#log.warn("inbox", { error });
      },
    });
    this.#watched = this.#watch(connection.status());
  }

  get status(): BusStatus {
    return this.#status.status;
  }

  onStatus(listener: (status: BusStatus) => void): Disposable {
    return this.#status.listen(listener);
  }

  publish(subject: string, payload: Uint8Array, options?: PublishOptions): Result<void> {
    checkSubject(subject);
    return this.#send(subject, payload, options);
  }

  request(
    subject: string,
    payload: Uint8Array,
    options: RequestOptions,
  ): Promise<Result<Uint8Array>> {
    checkSubject(subject);
    return this.#pending.start(
      subject,
      options,
      (id) => {
        const { isOwned } = options;
        return this.#send(subject, payload, { reply: `${this.#inbox}${id}`, isOwned });
      },
    );
  }

  subscribe(
    subject: string,
    handler: (message: BusMessage) => void,
    options: { readonly queue?: string } = {},
  ): Subscription {
    return this.#join(subject, options.queue, ({ subject: on, data }) => {
      guarded(this.#log, "subscriber", () => handler({ subject: on, payload: data }));
    });
  }

  serve(
    subject: string,
    handler: RequestHandler,
    options: { readonly queue?: string } = {},
  ): Subscription {
    const log = this.#log;
    const ended = new AbortController();
    return this.#join(subject, options.queue, (message) => {
      const context = { subject: message.subject, signal: ended.signal, log };
      const { reply } = message;
      runHandler(handler, message.data, context, (result) => this.#answer(reply, result));
    }, () => ended.abort());
  }

  async flush(): Promise<Result<void>> {
    if (this.status === "disconnected") return busDown("flush");
    this.#release();
    try {
      await this.#connection.flush();
      return sent;
    } catch (error) {
      this.#log.debug("flush failed", { error });
      return busDown("flush");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushBriefly();
    for (const subscription of [...this.#subscriptions]) subscription[Symbol.dispose]();
    this.#down();
    this.#rest();
    await this.#connection.close();
    await this.#watched;
  }

  /** A connection that is gone would keep `close` waiting for ever. */
  async #flushBriefly(): Promise<void> {
    if (this.status === "disconnected") return;
    const flushed = this.#pending.start("flush", { timeoutMs: closingFlushMs }, (id) => {
      void this.flush().then(() => this.#pending.settle(id, ok(new Uint8Array())));
      return sent;
    });
    await flushed;
  }

  #send(
    subject: string,
    payload: Uint8Array,
    options: {
      readonly reply?: string;
      readonly failed?: boolean;
      readonly isPatient?: boolean;
      readonly isOwned?: boolean | undefined;
    } = {},
  ): Result<void> {
    if (this.status === "disconnected") return busDown(`send to ${subject}`);
    const fits = checkPayload(subject, payload);
    if (!fits.ok) return fits;
    const { reply, failed, isPatient, isOwned } = options;
    // Else the payload may be the caller's own buffer, used again for the next message.
    const kept = isOwned === true ? payload : payload.slice();
    this.#outgoing.push({ subject, payload: kept, reply, failed });
    if (isPatient !== true) this.#turn ??= this.#clock.turn(() => this.#release());
    else if (this.#turn === undefined) {
      this.#patience ??= this.#clock.timer(patienceMs, () => this.#release());
    }
    return sent;
  }

  /**
   * Hands on what one turn of the event loop sent: one write to the socket instead of one per microtask, which was a sixth
   * of a busy frontend's time.
   */
  #release(): void {
    this.#rest();
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const { subject, payload, reply, failed } of outgoing) {
      try {
        this.#connection.publish(subject, payload, {
          ...(reply === undefined ? undefined : { reply }),
          ...(failed === true ? { headers: failureMark() } : undefined),
        });
      } catch (error) {
        this.#log.debug("publish failed", { subject, error });
      }
    }
  }

  #rest(): void {
    this.#turn?.[Symbol.dispose]();
    this.#turn = undefined;
    this.#patience?.[Symbol.dispose]();
    this.#patience = undefined;
  }

  #answer(reply: string | undefined, result: Result<Uint8Array>): void {
    if (reply === undefined || reply === "") return;
    const answered = result.ok
      ? this.#send(reply, result.value)
      : this.#send(reply, failureBytes(result.error), { failed: true });
    if (!answered.ok) this.#log.debug("reply not sent", { reason: answered.error.message });
  }

  #settle(message: Msg): void {
    const id = Number(message.subject.slice(this.#inbox.length));
    if (message.headers?.code === 503 && message.data.length === 0) {
      return this.#pending.settle(id, nobodyServes(this.#pending.subjectOf(id)));
    }
    const failed = message.headers?.has(failureHeader) === true;
    this.#pending.settle(id, failed ? readFailure(message.data) : ok(message.data));
  }

  #join(
    pattern: string,
    queue: string | undefined,
    deliver: (message: Msg) => void,
    onEnd: () => void = () => {},
  ): Subscription {
    checkPattern(pattern);
    if (this.#closed) throw new Error(`Cannot subscribe to ${pattern}: the bus is closed`);
    const inner = this.#connection.subscribe(pattern, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error === null) deliver(message);
        else this.#log.warn("subscription", { pattern, error });
      },
    });
    const subscription = subscriptionOf(pattern, () => {
      inner.unsubscribe();
      this.#subscriptions.delete(subscription);
      onEnd();
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  #down(): void {
    // What was not handed on is lost with the connection, as what was on its way.
    this.#outgoing = [];
    this.#status.set("disconnected");
    this.#pending.failAll("bus_unavailable", "The connection to the message bus was lost");
  }

  async #watch(statuses: AsyncIterable<Status>): Promise<void> {
    for await (const status of statuses) {
      if (status.type === "disconnect") {
        this.#log.warn("connection lost; trying again");
        this.#down();
      } else if (status.type === "reconnect" && !this.#closed) {
        this.#log.info("connected again");
        this.#status.set("connected");
      } else if (status.type === "error") {
        this.#log.warn("server said", { error: status.error.message });
      }
    }
  }
}

function failureMark() {
  const mark = headers();
  mark.set(failureHeader, "1");
  return mark;
}
