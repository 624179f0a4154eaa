/**
 * Bytes of a slab. Above what malloc maps by itself, so that a slab goes back to the system as soon as nobody has a part
 * of it: small buffers of many ages leave holes in malloc's heap that a program never gets rid of.
 */
const slabBytes = 192 * 1024;
/** A part larger than this has memory of its own. */
const mostPart = slabBytes / 4;

/** Cuts buffers that live shortly from large ones. Whoever keeps a part keeps its whole slab: copy what is to stay. */
export class ByteSlab {
  #bytes = new Uint8Array(0);
  #at = 0;

  /** A buffer of so many bytes, zero. O(1), but for a new slab. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    if (bytes > mostPart) return new Uint8Array(bytes);
    const part = this.room(bytes).subarray(0, bytes);
    this.use(bytes);
    return part;
  }

  /** What is left of the slab, or all of a new one where that is less than `least` bytes: to be written, then used. */
  room(least: number): Uint8Array<ArrayBuffer> {
    if (this.#at + least > this.#bytes.length) {
      this.#bytes = new Uint8Array(Math.max(slabBytes, least));
      this.#at = 0;
    }
    return this.#bytes.subarray(this.#at);
  }

  /** The first bytes of what `room` answered last are given away. */
  use(bytes: number): void {
    this.#at += bytes;
  }
}
