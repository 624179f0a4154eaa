import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type {
  Bus,
  BusMessage,
  BusStatus,
  RequestHandler,
  RequestOptions,
  Subscription,
} from "./bus.ts";
import { busDown, checkPayload, guarded, sent } from "./bus_status.ts";
import type { Frame } from "./frame_socket.ts";
import type { Log } from "./log.ts";
import { failureBytes, runHandler } from "./request_handler.ts";
import { SocketLink } from "./socket_link.ts";
import type { SocketParts } from "./socket_link.ts";
import { frameKinds, nothing, splitNumber, textBytes, withNumber } from "./socket_protocol.ts";
import type { ServerAddress } from "./server_url.ts";
import { checkPattern, checkSubject, subscriptionOf } from "./subject.ts";

/** Longest wait for the hub to hand everything on, in ms. */
const flushMs = 5_000;
/** The hub waits this much longer than the caller, whose own timer ends the request. */
const hubGraceMs = 1_000;

interface Joined {
  readonly kind: number;
  readonly pattern: string;
  readonly queue: string | undefined;
  deliver(frame: Frame): void;
}

/** Connects to a socket hub's bus; `bus_unavailable` where nobody listens. */
export async function connectSocketBus(
  address: ServerAddress,
  parts: SocketParts,
): Promise<Result<Bus>> {
  try {
    return ok(new SocketBus(await SocketLink.open(address, parts), parts.log));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail("bus_unavailable", `Cannot reach the bus on its socket: ${reason}`);
  }
}

/** The bus as seen from another process of the same host. */
export class SocketBus implements Bus {
  readonly #link: SocketLink;
  readonly #log: Log;
  readonly #joined = new Map<number, Joined>();
  readonly #subscriptions = new Set<Subscription>();
  #made = 0;
  #closed = false;

  constructor(link: SocketLink, log: Log) {
    this.#link = link;
    this.#log = log;
    link.start({
      hello: frameKinds.helloBus,
      downCode: "bus_unavailable",
      onConnect: () => {
        for (const [id, joined] of this.#joined) this.#tellJoined(id, joined);
      },
      onFrame: (frame) => this.#joined.get(frame.id)?.deliver(frame),
    });
  }

  get status(): BusStatus {
    return this.#link.status.status;
  }

  onStatus(listener: (status: BusStatus) => void): Disposable {
    return this.#link.status.listen(listener);
  }

  publish(subject: string, payload: Uint8Array): Result<void> {
    checkSubject(subject);
    const fits = checkPayload(subject, payload);
    if (!fits.ok) return fits;
    const went = this.#link.send(frameKinds.publish, 0, subject, payload);
    return went ? sent : busDown(`publish on ${subject}`);
  }

  request(
    subject: string,
    payload: Uint8Array,
    options: RequestOptions,
  ): Promise<Result<Uint8Array>> {
    checkSubject(subject);
    const fits = checkPayload(subject, payload);
    if (!fits.ok) return Promise.resolve(fits);
    const body = withNumber(Math.ceil(options.timeoutMs) + hubGraceMs, payload);
    return this.#link.ask(frameKinds.request, subject, body, options);
  }

  subscribe(
    subject: string,
    handler: (message: BusMessage) => void,
    options: { readonly queue?: string } = {},
  ): Subscription {
    return this.#join({
      kind: frameKinds.subscribe,
      pattern: subject,
      queue: options.queue,
      deliver: ({ name, payload }) => {
        guarded(this.#log, "subscriber", () => handler({ subject: name, payload }));
      },
    });
  }

  serve(
    subject: string,
    handler: RequestHandler,
    options: { readonly queue?: string } = {},
  ): Subscription {
    const ended = new AbortController();
    return this.#join({
      kind: frameKinds.serve,
      pattern: subject,
      queue: options.queue,
      deliver: (frame) => this.#call(frame, handler, ended.signal),
    }, () => ended.abort());
  }

  async flush(): Promise<Result<void>> {
    const flushed = await this.#link.ask(frameKinds.flush, "flush", nothing, {
      timeoutMs: flushMs,
    });
    return flushed.ok ? sent : flushed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.flush();
    for (const subscription of [...this.#subscriptions]) subscription[Symbol.dispose]();
    await this.#link.close();
  }

  #call(frame: Frame, handler: RequestHandler, signal: AbortSignal): void {
    const call = splitNumber(frame.payload);
    if (call === undefined) return;
    const [number, payload] = call;
    const context = { subject: frame.name, signal, log: this.#log };
    runHandler(handler, payload, context, (result) => {
      if (result.ok) this.#link.send(frameKinds.answer, number, "", result.value);
      else this.#link.send(frameKinds.answerFailed, number, "", failureBytes(result.error));
    });
  }

  #join(joined: Joined, onEnd: () => void = () => {}): Subscription {
    const { pattern } = joined;
    checkPattern(pattern);
    if (this.#closed) throw new Error(`Cannot subscribe to ${pattern}: the bus is closed`);
    const id = this.#made = (this.#made + 1) >>> 0;
    this.#joined.set(id, joined);
    this.#tellJoined(id, joined);
    const subscription = subscriptionOf(pattern, () => {
      this.#joined.delete(id);
      this.#link.send(frameKinds.unsubscribe, id, "", nothing);
      this.#subscriptions.delete(subscription);
      onEnd();
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  #tellJoined(id: number, { kind, pattern, queue }: Joined): void {
    this.#link.send(kind, id, pattern, queue === undefined ? nothing : textBytes(queue));
  }
}
