import type { Result } from "@pixii/wire";

/** One message as a subscriber sees it. */
export interface BusMessage {
  readonly subject: string;
  /** Valid only during the handler where a transport reuses its buffer: copy what must outlive it. */
  readonly payload: Uint8Array;
}

/** A running subscription or service; disposing it ends delivery at once. */
export interface Subscription extends Disposable {
  readonly subject: string;
}

/** Answers one request. Its result is the reply; a throw is logged and answered with `internal`. */
export type RequestHandler = (
  payload: Uint8Array,
  context: { readonly subject: string; readonly signal: AbortSignal },
) => Promise<Uint8Array> | Uint8Array;

/** Options of a request. */
export interface RequestOptions {
  /** Longest wait; then `timeout`. */
  readonly timeoutMs: number;
  /** Gives up with `cancelled`. */
  readonly signal?: AbortSignal;
  /** The payload is the bus's from now on: nobody writes to it again, so it need not be copied. */
  readonly isOwned?: boolean;
}

/** Options of a publish. */
export interface PublishOptions {
  /** It may wait up to `patienceMs` for other messages to leave with: reports and ledgers, not tokens. */
  readonly isPatient?: boolean;
}

/** Longest wait of a patient message, in ms. */
export const patienceMs = 1;

/** `connected` or, while the transport reconnects for ever, `disconnected`. */
export type BusStatus = "connected" | "disconnected";

/**
 * The request and event planes. Promises: messages of one publisher on one subject arrive in order; at most once;
 * a subject may end in one `*` token when subscribed. While disconnected `publish` and `request` fail at once with
 * `bus_unavailable` and nothing is buffered; subscriptions come back by themselves. A message over
 * `limits.messageBytes` is refused with `payload_too_large`. Callbacks run on the program's one event loop, one at a
 * time; a throwing subscriber is logged and hurts nobody else.
 */
export interface Bus extends AsyncDisposable {
  readonly status: BusStatus;
  /** Calls `listener` on every change of status until disposed. */
  onStatus(listener: (status: BusStatus) => void): Disposable;
  /** Sends to all subscribers (one per queue group). Nobody listening is no error. */
  publish(subject: string, payload: Uint8Array, options?: PublishOptions): Result<void>;
  /** Sends and waits for one reply; `no_responders` at once where nobody serves, `timeout`, `cancelled`, `bus_unavailable` (also when the connection drops while waiting). */
  request(
    subject: string,
    payload: Uint8Array,
    options: RequestOptions,
  ): Promise<Result<Uint8Array>>;
  /** Calls `handler` per message. With `queue`, one member of the group gets each message. */
  subscribe(
    subject: string,
    handler: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): Subscription;
  /** Like `subscribe`, and sends the handler's result back. Messages without a reply subject are handled and not answered. */
  serve(
    subject: string,
    handler: RequestHandler,
    options?: { readonly queue?: string },
  ): Subscription;
  /** Resolves when everything published so far reached the server (and subscriptions are known there). */
  flush(): Promise<Result<void>>;
}
