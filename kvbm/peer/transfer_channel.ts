import { crc32 } from "node:zlib";
import { decodeTransfer, encodeTransfer, transferHeadBytes, transferLength } from "@pixii/wire";
import type { TransferMessage, TransferOp } from "@pixii/wire";
import type { ByteStream, Clock } from "@pixii/runtime";

/** What is shorter goes through a buffer, several pieces at a time; what is longer goes straight. */
const smallBytes = 64 * 1024;
const bufferBytes = 4 * smallBytes;
const headBytes = 256;

/**
 * Messages and blocks over a byte stream. Blocks are read into their slots and written from them; only short ones are
 * copied, since a call of the system costs more than the copy. One reader and one writer at a time.
 */
export class TransferChannel implements Disposable {
  readonly #stream: ByteStream;
  readonly #in: Uint8Array<ArrayBuffer> = new Uint8Array(bufferBytes);
  #inFrom = 0;
  #inTo = 0;
  /** Bytes to read for a message, at most. */
  #ahead = bufferBytes;
  readonly #out: Uint8Array<ArrayBuffer> = new Uint8Array(bufferBytes);
  #outTo = 0;
  readonly #clock: Clock;
  #movedMs: number;
  #isOver = false;
  /** Why messages are no longer understood. */
  problem: string | undefined;

  constructor(stream: ByteStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    this.#movedMs = clock.nowMs();
  }

  /** Where the other end is. */
  get peer(): string {
    return this.#stream.peer;
  }

  /** When something was read or handed over last. */
  get movedMs(): number {
    return this.#movedMs;
  }

  /** The next message; nothing at the end of the stream and behind a message that is none. */
  async receive(): Promise<TransferMessage | undefined> {
    if (!await this.#have(transferHeadBytes)) return undefined;
    const head = this.#in.subarray(this.#inFrom, this.#inFrom + transferHeadBytes);
    const length = transferLength(head);
    if (!length.ok) return this.#bad(length.error.message);
    if (!await this.#have(length.value)) return undefined;
    const bytes = this.#in.slice(this.#inFrom, this.#inFrom + length.value);
    this.#inFrom += length.value;
    const message = decodeTransfer(bytes, crc32);
    return message.ok ? message.value : this.#bad(message.error.message);
  }

  /** Fills `into` with the bytes that follow; false where the stream ended before. */
  async fill(into: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const isSmall = into.byteLength < smallBytes;
    // What follows a long block is a message and then most likely a long block: that is not to go through the buffer.
    this.#ahead = isSmall ? bufferBytes : headBytes;
    let at = 0;
    while (at < into.byteLength) {
      if (this.#inFrom < this.#inTo) {
        const part = this.#in.subarray(this.#inFrom, this.#inTo).subarray(0, into.byteLength - at);
        into.set(part, at);
        this.#inFrom += part.byteLength;
        at += part.byteLength;
      } else if (isSmall) {
        if (!await this.#more(bufferBytes)) return false;
      } else {
        const count = await this.#stream.read(into.subarray(at));
        if (count === null || this.#isOver) return false;
        this.#movedMs = this.#clock.nowMs();
        at += count;
      }
    }
    return true;
  }

  /** Adds a message to what goes out with `flush`, or before. */
  async send(op: TransferOp, id: number, body: Uint8Array = new Uint8Array()): Promise<boolean> {
    return await this.put(encodeTransfer({ op, id, body }, crc32));
  }

  /** Adds bytes to what goes out; long ones go at once. They must not change until then. */
  async put(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    if (bytes.byteLength >= smallBytes) return await this.flush() && await this.#write(bytes);
    if (this.#outTo + bytes.byteLength > bufferBytes && !await this.flush()) return false;
    this.#out.set(bytes, this.#outTo);
    this.#outTo += bytes.byteLength;
    return !this.#isOver;
  }

  /** Hands over what waits. */
  async flush(): Promise<boolean> {
    if (this.#outTo === 0) return !this.#isOver;
    const length = this.#outTo;
    this.#outTo = 0;
    return await this.#write(this.#out.subarray(0, length));
  }

  close(): void {
    this.#isOver = true;
    this.#stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #have(count: number): Promise<boolean> {
    while (this.#inTo - this.#inFrom < count) {
      if (!await this.#more(this.#ahead)) return false;
    }
    return true;
  }

  async #more(most: number): Promise<boolean> {
    this.#in.copyWithin(0, this.#inFrom, this.#inTo);
    this.#inTo -= this.#inFrom;
    this.#inFrom = 0;
    const end = Math.min(bufferBytes, this.#inTo + most);
    const count = await this.#stream.read(this.#in.subarray(this.#inTo, end));
    if (count === null || this.#isOver) return false;
    this.#movedMs = this.#clock.nowMs();
    this.#inTo += count;
    return true;
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const isWritten = await this.#stream.write(bytes);
    this.#movedMs = this.#clock.nowMs();
    return isWritten && !this.#isOver;
  }

  #bad(message: string): undefined {
    this.problem = message;
    this.close();
  }
}
