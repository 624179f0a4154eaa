/** Room kept between uses, in ids. */
const keptIds = 128 * 1024;

/** Collects ids; one is used again and again. */
export class TokenSink {
  #ids = new Uint32Array(keptIds);
  /** Ids so far. */
  count = 0;

  /** Adds one id. */
  push(id: number): void {
    if (this.count === this.#ids.length) this.#grow(this.count + 1);
    this.#ids[this.count++] = id;
  }

  /** Adds ids, copied. */
  append(ids: Uint32Array): void {
    const count = this.count + ids.length;
    if (count > this.#ids.length) this.#grow(count);
    this.#ids.set(ids, this.count);
    this.count = count;
  }

  /** The ids from `from` on, as a copy. */
  ids(from = 0): Uint32Array {
    return this.#ids.slice(from, this.count);
  }

  /** Starts anew. */
  clear(): void {
    this.count = 0;
    if (this.#ids.length > keptIds) this.#ids = new Uint32Array(keptIds);
  }

  #grow(atLeast: number): void {
    const larger = new Uint32Array(Math.max(atLeast, 2 * this.#ids.length));
    larger.set(this.#ids.subarray(0, this.count));
    this.#ids = larger;
  }
}
