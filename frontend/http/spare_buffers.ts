/** Sizes of buffers that are kept, in bytes: powers of two from the least to the most. */
const leastBytes = 512;
const mostBytes = 64 * 1024;
/** Bytes kept in all: those of 64 streams whose answers come in one go. */
const keptBytes = 4 * 1024 * 1024;

/**
 * Buffers that text is collected in, used again and again: a fresh one for every chunk is garbage outside of V8's heap,
 * of which tens of megabytes wait for a collection. What a buffer held before is still in it.
 */
export class SpareBuffers {
  /** By the exponent of the size. */
  readonly #spares: Uint8Array[][] = [];
  #bytes = 0;

  /** A buffer of at least so many bytes. O(1), and no more for sizes that were given back. */
  take(bytes: number): Uint8Array {
    if (bytes > mostBytes) return new Uint8Array(bytes);
    const exponent = exponentOf(Math.max(bytes, leastBytes));
    const spare = this.#spares[exponent]?.pop();
    if (spare === undefined) return new Uint8Array(2 ** exponent);
    this.#bytes -= spare.length;
    return spare;
  }

  /** Gives a buffer back, which its last user does not touch again. */
  give(buffer: Uint8Array): void {
    const size = buffer.length;
    if (size < leastBytes || size > mostBytes) return;
    const exponent = exponentOf(size);
    if (2 ** exponent !== size || this.#bytes + size > keptBytes) return;
    (this.#spares[exponent] ??= []).push(buffer);
    this.#bytes += size;
  }
}

/** The least n so that 2^n is `size` or more, for sizes from 2 on. */
function exponentOf(size: number): number {
  return 32 - Math.clz32(size - 1);
}
