import {
  decode,
  decodeStoreRows,
  encode,
  encodeStoreRows,
  fail,
  messageNameOf,
  ok,
  storeFrames,
} from "@pixii/wire";
import type { Result, StoreHello, StoreOp, StoreRows, StoreWelcome } from "@pixii/wire";
import { connectLocal, PendingRequests } from "@pixii/runtime";
import type { Clock, Frame, FrameSocket, Log } from "@pixii/runtime";

/** A kvbm that answers nothing for this long is given up: its connection is closed. */
const deadMs = 5_000;

const sent: Result<void> = ok(undefined);

/** One connection to a kvbm, from its greeting on. */
export class StoreLink implements Disposable {
  readonly welcome: StoreWelcome;
  readonly #socket: FrameSocket;
  readonly #frames: AsyncGenerator<Frame>;
  readonly #pending: PendingRequests;
  readonly #clock: Clock;
  /** When the oldest question without an answer was asked. */
  readonly #asked = new Map<number, number>();
  #onTold: (rows: StoreRows) => void = () => {};
  /** Slots that came too late to be of use. */
  #onLate: (rows: StoreRows) => void = () => {};

  private constructor(
    welcome: StoreWelcome,
    parts: {
      readonly socket: FrameSocket;
      readonly frames: AsyncGenerator<Frame>;
      readonly clock: Clock;
    },
  ) {
    this.welcome = welcome;
    this.#socket = parts.socket;
    this.#frames = parts.frames;
    this.#clock = parts.clock;
    this.#pending = new PendingRequests(parts.clock);
  }

  /** Connects and greets; says why not where the kvbm is not there or refuses. */
  static async open(
    path: string,
    options: {
      readonly hello: StoreHello;
      readonly clock: Clock;
      readonly log: Log;
      /** How a path is connected to; a Unix socket if left out. */
      readonly connect?: typeof connectLocal;
    },
  ): Promise<Result<StoreLink>> {
    const { hello, clock, log, connect = connectLocal } = options;
    const connected = await connect(path, log);
    if (!connected.ok) return connected;
    const socket = connected.value;
    const frames = socket.frames();
    using _limit = clock.timer(deadMs, () => socket.close());
    socket.send(storeFrames.ask, 0, "", encode("storeHello", hello));
    const first = await frames.next();
    const welcome = first.done ? lost(path) : welcomeIn(first.value.payload);
    if (welcome.ok) return ok(new StoreLink(welcome.value, { socket, frames, clock }));
    socket.close();
    return welcome;
  }

  /** True while an answer is late enough that asking more would only add to it. */
  isSlow(limitMs: number): boolean {
    const [askedMs] = this.#asked.values();
    return askedMs !== undefined && this.#clock.nowMs() - askedMs > limitMs;
  }

  /** Asks and waits for the answer's words. What comes after the timeout goes to `onLate`. */
  async ask(
    op: StoreOp,
    words: Uint32Array,
    options: { readonly arg?: number; readonly timeoutMs?: number } = {},
  ): Promise<Result<Uint32Array>> {
    const { arg = 0, timeoutMs = deadMs } = options;
    const payload = encodeStoreRows({ op, arg, words });
    const reply = await this.#pending.start(`kvbm ${op}`, { timeoutMs }, (id) => {
      this.#asked.set(id, this.#clock.nowMs());
      return this.#socket.send(storeFrames.ask, id, "", payload) ? sent : lost(op);
    });
    if (!reply.ok) return reply;
    const rows = decodeStoreRows(reply.value);
    return rows.ok ? ok(rows.value.words) : rows;
  }

  /** Says what wants no answer. */
  tell(op: StoreOp, words: Uint32Array, arg = 0): void {
    if (words.length === 0) return;
    this.#socket.send(storeFrames.tell, 0, "", encodeStoreRows({ op, arg, words }));
  }

  /** Reads until the connection ends. */
  async run(on: {
    readonly told: (rows: StoreRows) => void;
    readonly late: (rows: StoreRows) => void;
  }): Promise<void> {
    this.#onTold = on.told;
    this.#onLate = on.late;
    using _watch = this.#clock.every(deadMs / 2, () => {
      if (this.isSlow(deadMs)) this.#socket.close();
    });
    for await (const frame of this.#frames) this.#take(frame);
    this.#asked.clear();
    this.#pending.failAll("no_responders", "The kvbm is gone");
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #take(frame: Frame): void {
    if (frame.kind === storeFrames.answer) {
      if (!this.#asked.delete(frame.id)) return;
      const isAwaited = this.#pending.has(frame.id);
      if (isAwaited) return this.#pending.settle(frame.id, ok(frame.payload));
      const late = decodeStoreRows(frame.payload);
      if (late.ok) this.#onLate(late.value);
      return;
    }
    const told = decodeStoreRows(frame.payload);
    if (told.ok) this.#onTold(told.value);
  }
}

function lost(what: string): Result<never> {
  return fail("no_responders", `Cannot ask the kvbm (${what}): the connection is lost`);
}

function welcomeIn(payload: Uint8Array): Result<StoreWelcome> {
  if (messageNameOf(payload) !== "refusal") return decode("storeWelcome", payload);
  const refusal = decode("refusal", payload);
  return refusal.ok ? { ok: false, error: refusal.value.error } : refusal;
}
