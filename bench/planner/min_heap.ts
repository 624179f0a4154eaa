/** Things by a number, the one with the smallest first. All calls O(log things); of equal numbers any may come first. */
export class MinHeap<T> {
  readonly #items: T[] = [];
  readonly #keys: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The smallest number; Infinity where there is nothing. */
  get least(): number {
    return this.#keys.length === 0 ? Infinity : this.#keys[0];
  }

  push(item: T, key: number): void {
    let at = this.#items.length;
    this.#items.push(item);
    this.#keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#keys[parent] <= key) break;
      this.#put(at, parent);
      at = parent;
    }
    this.#items[at] = item;
    this.#keys[at] = key;
  }

  /** Takes the smallest out; `undefined` where there is nothing. */
  pop(): T | undefined {
    const first = this.#items[0];
    const item = this.#items.pop();
    const key = this.#keys.pop();
    if (item === undefined || key === undefined || this.#items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#keys.length) break;
      if (child + 1 < this.#keys.length && this.#keys[child + 1] < this.#keys[child]) child += 1;
      if (this.#keys[child] >= key) break;
      this.#put(at, child);
      at = child;
    }
    this.#items[at] = item;
    this.#keys[at] = key;
    return first;
  }

  /** Takes all out, in no order. */
  drain(): T[] {
    this.#keys.length = 0;
    return this.#items.splice(0);
  }

  #put(to: number, from: number): void {
    this.#items[to] = this.#items[from];
    this.#keys[to] = this.#keys[from];
  }
}
