/** A map that forgets its oldest entry when it is full. Setting a known key makes it the youngest. */
export class BoundedMap<Key, Value> {
  readonly #most: number;
  readonly #entries = new Map<Key, Value>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Entries held. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value of a key; its age does not change. */
  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  /** Sets a key and makes it the youngest. */
  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#most) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  /** All entries, the oldest first. */
  [Symbol.iterator](): Iterator<[Key, Value]> {
    return this.#entries[Symbol.iterator]();
  }

  /** Forgets a key. */
  delete(key: Key): void {
    this.#entries.delete(key);
  }
}
