/** Where an entry's value lives. */
interface Cell<Value> {
  value: Value | undefined;
}

/**
 * A Map for entries that come and go by the thousand. V8 chains each table that a Map outgrows to the next one, with all
 * it held at that moment; once one of them is old, everything on the chain survives every young collection, and a
 * request's whole graph is copied twice and waits for a full collection. Here an obsolete table holds empty cells only.
 */
export class ChurnMap<Key, Value> {
  readonly #cells = new Map<Key, Cell<Value>>();

  /** Entries. */
  get size(): number {
    return this.#cells.size;
  }

  /** True where `key` has an entry. */
  has(key: Key): boolean {
    return this.#cells.has(key);
  }

  /** The value of `key`. */
  get(key: Key): Value | undefined {
    return this.#cells.get(key)?.value;
  }

  /** Adds an entry or gives a known one another value; it keeps its place in the order. */
  set(key: Key, value: Value): void {
    const cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, { value });
    else cell.value = value;
  }

  /** Takes an entry away; false where there was none. */
  delete(key: Key): boolean {
    const cell = this.#cells.get(key);
    if (cell === undefined) return false;
    cell.value = undefined;
    return this.#cells.delete(key);
  }

  /** Takes the entry away that was added first. */
  deleteFirst(): void {
    for (const key of this.#cells.keys()) {
      this.delete(key);
      return;
    }
  }

  /** Takes all away. */
  clear(): void {
    for (const cell of this.#cells.values()) cell.value = undefined;
    this.#cells.clear();
  }

  /** The keys in the order they were added; entries may be taken away while reading. */
  keys(): Iterable<Key> {
    return this.#cells.keys();
  }

  /** The values in the order they were added; entries may be taken away while reading. */
  *values(): Iterable<Value> {
    for (const cell of this.#cells.values()) yield cell.value as Value;
  }

  /** Keys and values in the order they were added. */
  *[Symbol.iterator](): Iterator<[Key, Value]> {
    for (const [key, cell] of this.#cells) yield [key, cell.value as Value];
  }
}
