import type { Outbox, Sender } from "./outbox.ts";

/** Why a client gets no more: it left, or does not read. */
export type GoneReason = "cancelled" | "slow";

/** Breaks the connection, so that half an answer cannot look whole. Said on purpose: no bug. */
export class BrokenBody extends Error {}

const encoder = new TextEncoder();
const none = new Uint8Array();

/**
 * The body of one streamed answer: text and bytes go in, few large chunks come out. Everything written between two
 * sends is one chunk; what the client does not take yet stays here, up to a bound, and then the client is given up.
 */
export class BytePipe implements Sender {
  readonly body: ReadableStream<Uint8Array>;
  sentMs = -Infinity;
  readonly #outbox: Outbox;
  readonly #textEnd: Uint8Array;
  readonly #mostBytes: number;
  readonly #onGone: (why: GoneReason) => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #bytes: Uint8Array = none;
  #size = 0;
  #lastSize = 0;
  #isQueued = false;
  /** The client's side asked for more than it has got. */
  #isWanted = false;
  /** A send found no taker. */
  #isOwed = false;
  #isEnding = false;
  #isOver = false;

  constructor(options: {
    readonly outbox: Outbox;
    /** What the body begins with; goes out when the client first reads. */
    readonly opening: string;
    /** What follows every text that is spliced in. */
    readonly textEnd: Uint8Array;
    /** Most bytes that wait here for the client, the opening not counted. */
    readonly mostBytes: number;
    /** Called at most once, and never after `end`'s bytes were handed over. */
    readonly onGone: (why: GoneReason) => void;
  }) {
    this.#outbox = options.outbox;
    this.#textEnd = options.textEnd;
    this.#bytes = encoder.encode(options.opening);
    this.#size = this.#bytes.length;
    this.#isOwed = this.#size > 0;
    this.#mostBytes = options.mostBytes + this.#size;
    this.#onGone = options.onGone;
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#isWanted = true;
        if (this.#isOwed) this.send();
      },
      cancel: () => this.#gone("cancelled"),
    }, { highWaterMark: 0 });
  }

  /** Adds `before`, the text as the inside of a JSON string, and the text's end. O(their bytes). */
  splice(before: Uint8Array, text: string): void {
    if (this.#isOver) return;
    const after = this.#textEnd;
    // A JSON string holds at most six bytes for one UTF-16 unit.
    this.#reserve(before.length + after.length + 6 * text.length);
    this.#bytes.set(before, this.#size);
    this.#size += before.length;
    this.#quote(text);
    this.#bytes.set(after, this.#size);
    this.#size += after.length;
    this.#written();
  }

  /** Adds text as it is. */
  write(text: string): void {
    if (this.#isOver) return;
    this.#reserve(3 * text.length);
    this.#size += encoder.encodeInto(text, this.#bytes.subarray(this.#size)).written;
    this.#written();
  }

  /** Nothing follows. */
  end(): void {
    if (this.#isOver) return;
    this.#isEnding = true;
    this.#outbox.add(this, true);
  }

  send(): void {
    this.#isQueued = false;
    if (this.#isOver) return;
    this.#isOwed = !this.#isWanted && !this.#isEnding;
    if (this.#isOwed) return;
    if (this.#size > 0) {
      this.#isWanted = false;
      const chunk = this.#outbox.chunks.take(this.#size);
      chunk.set(this.#bytes.subarray(0, this.#size));
      this.#controller.enqueue(chunk);
      this.#lastSize = this.#size;
      this.#release();
    }
    if (!this.#isEnding) return;
    this.#isOver = true;
    this.#controller.close();
  }

  #written(): void {
    if (this.#size > this.#mostBytes) {
      this.#controller.error(new BrokenBody("The client reads too slowly"));
      return this.#gone("slow");
    }
    // A reader that has not come back yet is sent to when it does.
    if (this.#isQueued || this.#isOwed) return;
    this.#isQueued = true;
    this.#outbox.add(this, false);
  }

  /** Plain text byte by byte, which is nearly all there is; anything else by way of JSON. */
  #quote(text: string): void {
    const bytes = this.#bytes;
    let at = this.#size;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return this.#escape(text);
      bytes[at++] = code;
    }
    this.#size = at;
  }

  #escape(text: string): void {
    const quoted = JSON.stringify(text).slice(1, -1);
    this.#size += encoder.encodeInto(quoted, this.#bytes.subarray(this.#size)).written;
  }

  #reserve(bytes: number): void {
    const need = this.#size + bytes;
    if (need <= this.#bytes.length) return;
    // At once as large as the last chunk was: the next is mostly like it.
    const grown = this.#outbox.spares.take(Math.max(need, 2 * this.#bytes.length, this.#lastSize));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#outbox.spares.give(this.#bytes);
    this.#bytes = grown;
  }

  #release(): void {
    this.#outbox.spares.give(this.#bytes);
    this.#bytes = none;
    this.#size = 0;
  }

  #gone(why: GoneReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#onGone(why);
  }
}
