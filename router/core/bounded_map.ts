/** An entry in the order of age. One that is gone holds nothing: what V8 keeps of an outgrown table is then empty. */
interface Entry<Key, Value> {
  readonly key: Key;
  value: Value | undefined;
  older: Entry<Key, Value> | undefined;
  newer: Entry<Key, Value> | undefined;
}

/**
 * A map that forgets its oldest entry when it is full. Setting a known key makes it the youngest. All O(1): the first key
 * of a plain Map is found by passing over all that were deleted before it.
 */
export class BoundedMap<Key, Value> {
  readonly #most: number;
  readonly #entries = new Map<Key, Entry<Key, Value>>();
  #oldest: Entry<Key, Value> | undefined;
  #newest: Entry<Key, Value> | undefined;

  constructor(most: number) {
    this.#most = most;
  }

  /** Entries held. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value of a key; its age does not change. */
  get(key: Key): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Sets a key and makes it the youngest. */
  set(key: Key, value: Value): void {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      if (known !== this.#newest) {
        this.#cut(known);
        this.#append(known);
      }
      known.value = value;
      return;
    }
    const entry = { key, value, older: undefined, newer: undefined };
    this.#entries.set(key, entry);
    this.#append(entry);
    if (this.#entries.size > this.#most) this.delete(this.#oldest!.key);
  }

  /** All entries, the oldest first. */
  *[Symbol.iterator](): Iterator<[Key, Value]> {
    for (let entry = this.#oldest; entry !== undefined; entry = entry.newer) {
      yield [entry.key, entry.value as Value];
    }
  }

  /** Forgets a key. */
  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#cut(entry);
    entry.value = undefined;
  }

  #append(entry: Entry<Key, Value>): void {
    entry.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #cut(entry: Entry<Key, Value>): void {
    const { older, newer } = entry;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    entry.older = entry.newer = undefined;
  }
}
