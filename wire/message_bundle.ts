import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";
import { limits } from "./limits.ts";

/** Bytes before each message: its length. */
const lengthBytes = 4;

/**
 * Many whole messages as one run of bytes, for what travels in parts or lies in a file: per message `u32 LE length` and
 * its bytes, which begin with its own version and kind. At most `limits.assembledBytes`.
 */
export class MessageBundle {
  readonly #messages: Uint8Array[] = [];
  #bytes = 0;

  /** Bytes so far. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** Adds messages; false, and none of them is added, where they do not fit. */
  add(messages: readonly Uint8Array[]): boolean {
    const bytes = messages.reduce((sum, one) => sum + lengthBytes + one.byteLength, 0);
    if (this.#bytes + bytes > limits.assembledBytes) return false;
    this.#messages.push(...messages);
    this.#bytes += bytes;
    return true;
  }

  /** All of it. O(bytes). */
  bytes(): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    const view = new DataView(whole.buffer);
    let at = 0;
    for (const message of this.#messages) {
      view.setUint32(at, message.byteLength, true);
      whole.set(message, at + lengthBytes);
      at += lengthBytes + message.byteLength;
    }
    return whole;
  }
}

/** The messages of a bundle, as views of it; or `decode_error` where a length is not that of what follows. */
export function messagesOf(bytes: Uint8Array): Result<readonly Uint8Array[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const start = at + lengthBytes;
    const end = start <= bytes.byteLength ? start + view.getUint32(at, true) : Infinity;
    if (end > bytes.byteLength) {
      return fail("decode_error", `Cannot read the bundle: message ${messages.length} is cut`);
    }
    messages.push(bytes.subarray(start, end));
    at = end;
  }
  return ok(messages);
}
