import { joinBytes } from "@pixii/wire";
import type { Log } from "./log.ts";

/** One frame between a program and the socket hub. */
export interface Frame {
  readonly kind: number;
  /** Ties a reply or a delivery to what asked for it. */
  readonly id: number;
  /** A subject, a key or a prefix. */
  readonly name: string;
  readonly payload: Uint8Array;
}

/** Largest frame, in bytes: a snapshot of a whole registry goes in one. */
export const maxFrameBytes: number = 32 * 1024 * 1024;
/** Most bytes that wait for a peer that does not read; then it is cut off. */
export const maxQueuedBytes: number = 64 * 1024 * 1024;

/** Bytes before the name: length of what follows (u32), kind (u8), id (u32), length of the name (u16); little endian. */
const headBytes = 11;
const readBytes = 64 * 1024;

/** What frames go over: a connection, or what stands for one. */
export type FrameStream = Pick<Deno.Conn, "read" | "write" | "close">;

/** Frames over one stream connection, in order; writes of one turn go out together. */
export class FrameSocket implements Disposable {
  readonly #connection: FrameStream;
  readonly #log: Log;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writing = false;
  #flushed: (() => void)[] = [];
  #closed = false;

  constructor(connection: FrameStream, log: Log) {
    this.#connection = connection;
    this.#log = log;
    // Without it each small frame waits for the acknowledgement of the one before, up to 40 ms.
    if ("setNoDelay" in connection) {
      (connection as { setNoDelay(on: boolean): void }).setNoDelay(true);
    }
  }

  /** True after the connection ended or was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Queues a frame; false where the connection is closed. The payload is copied. */
  send(kind: number, id: number, name: string, payload: Uint8Array): boolean {
    if (this.#closed) return false;
    const text = this.#encoder.encode(name);
    const bytes = new Uint8Array(headBytes + text.length + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length - 4, true);
    view.setUint8(4, kind);
    view.setUint32(5, id, true);
    view.setUint16(9, text.length, true);
    bytes.set(text, headBytes);
    bytes.set(payload, headBytes + text.length);
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > maxQueuedBytes) {
      this.#log.warn("peer does not read; connection closed", { queuedBytes: this.#queuedBytes });
      this.close();
      return false;
    }
    if (!this.#writing) {
      this.#writing = true;
      queueMicrotask(() => void this.#write());
    }
    return true;
  }

  /** Resolves when everything sent so far was handed to the system, or the connection closed. */
  drained(): Promise<void> {
    if (this.#closed || !this.#writing) return Promise.resolve();
    return new Promise((resolve) => this.#flushed.push(resolve));
  }

  /** The peer's frames until the connection ends. A frame that is none ends it with a warning. */
  async *frames(): AsyncGenerator<Frame> {
    let pending = new Uint8Array(readBytes);
    let have = 0;
    while (!this.#closed) {
      const count = await this.#read(pending.subarray(have));
      if (count === null) break;
      have += count;
      let at = 0;
      while (have - at >= 4) {
        const length = new DataView(pending.buffer, at).getUint32(0, true);
        if (length < headBytes - 4 || length > maxFrameBytes) {
          this.#log.warn("not a frame; connection closed", { length });
          return this.close();
        }
        if (have - at < 4 + length) break;
        yield this.#decode(pending.slice(at, at + 4 + length));
        at += 4 + length;
      }
      pending = room(pending, at, have);
      have -= at;
    }
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    for (const resolve of this.#flushed.splice(0)) resolve();
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #decode(bytes: Uint8Array): Frame {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const nameEnd = Math.min(headBytes + view.getUint16(9, true), bytes.length);
    return {
      kind: view.getUint8(4),
      id: view.getUint32(5, true),
      name: this.#decoder.decode(bytes.subarray(headBytes, nameEnd)),
      payload: bytes.subarray(nameEnd),
    };
  }

  async #read(into: Uint8Array): Promise<number | null> {
    try {
      return await this.#connection.read(into);
    } catch (error) {
      // Closed by us while reading, or reset by the peer: both are the end.
      this.#log.trace("read ended", { error });
      return null;
    }
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0 && !this.#closed) {
      const bytes = joinBytes(this.#queue);
      this.#queue = [];
      try {
        for (let at = 0; at < bytes.length;) {
          at += await this.#connection.write(bytes.subarray(at));
        }
      } catch (error) {
        this.#log.trace("write ended", { error });
        this.close();
      }
      this.#queuedBytes -= bytes.length;
    }
    this.#writing = false;
    for (const resolve of this.#flushed.splice(0)) resolve();
  }
}

/** A buffer that begins with what is left and has room for more. */
function room(buffer: Uint8Array<ArrayBuffer>, at: number, have: number): Uint8Array<ArrayBuffer> {
  const left = have - at;
  const needed = left >= 4 && at === 0
    ? 4 + new DataView(buffer.buffer).getUint32(0, true)
    : left + readBytes / 2;
  if (needed <= buffer.length) {
    if (at > 0) buffer.copyWithin(0, at, have);
    return buffer;
  }
  const larger = new Uint8Array(Math.max(needed, 2 * buffer.length));
  larger.set(buffer.subarray(at, have));
  return larger;
}
