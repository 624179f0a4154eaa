/**
 * Places to merge, by rank and then from left to right. Places of one rank mostly come in order, so they wait in a
 * list, and only one that comes out of order makes a heap of it.
 */
export class RankQueue {
  readonly #places = new Map<number, PlaceList>();
  /** Ranks that have places. */
  readonly #ranks = new NumberHeap();
  /** Places of the lowest rank, where it is known which that is. */
  #lowest: PlaceList | undefined;

  /** Adds a place. Amortised O(1) in order, else O(log n). */
  push(rank: number, place: number): void {
    const list = this.#places.get(rank);
    if (list !== undefined) return list.push(place);
    this.#places.set(rank, new PlaceList(place));
    this.#ranks.push(rank);
    this.#lowest = undefined;
  }

  /** The lowest rank, undefined where nothing waits. */
  get rank(): number | undefined {
    return this.#ranks.first;
  }

  /** Takes the leftmost place of the lowest rank; there must be one. */
  pop(): number {
    const list = this.#lowest ??= this.#places.get(this.#ranks.first!)!;
    const place = list.pop();
    if (list.isEmpty) {
      this.#places.delete(this.#ranks.pop());
      this.#lowest = undefined;
    }
    return place;
  }
}

/** Places of one rank: a list in order, or a heap once one came out of order. */
class PlaceList {
  /** The list, read from `#start` on. */
  readonly #list: number[];
  #start = 0;
  #last: number;
  #heap: NumberHeap | undefined;

  constructor(place: number) {
    this.#list = [place];
    this.#last = place;
  }

  get isEmpty(): boolean {
    return this.#heap === undefined
      ? this.#start === this.#list.length
      : this.#heap.first === undefined;
  }

  push(place: number): void {
    if (this.#heap !== undefined) return this.#heap.push(place);
    if (place > this.#last) {
      this.#list.push(place);
      this.#last = place;
      return;
    }
    // A sorted list is a heap.
    this.#heap = new NumberHeap(this.#list.slice(this.#start));
    this.#list.length = 0;
    this.#heap.push(place);
  }

  pop(): number {
    return this.#heap === undefined ? this.#list[this.#start++] : this.#heap.pop();
  }
}

/** A binary heap of numbers, smallest first. */
class NumberHeap {
  readonly #numbers: number[];

  /** `numbers` must be a heap, or sorted; it becomes this one's own. */
  constructor(numbers: number[] = []) {
    this.#numbers = numbers;
  }

  get first(): number | undefined {
    return this.#numbers[0];
  }

  push(value: number): void {
    const numbers = this.#numbers;
    let at = numbers.push(value) - 1;
    while (at > 0) {
      const parent = at - 1 >>> 1;
      if (numbers[parent] <= value) break;
      numbers[at] = numbers[parent];
      at = parent;
    }
    numbers[at] = value;
  }

  pop(): number {
    const numbers = this.#numbers;
    const top = numbers[0];
    const last = numbers.pop()!;
    const count = numbers.length;
    if (count === 0) return top;
    let at = 0;
    while (2 * at + 1 < count) {
      let child = 2 * at + 1;
      if (child + 1 < count && numbers[child + 1] < numbers[child]) child += 1;
      if (numbers[child] >= last) break;
      numbers[at] = numbers[child];
      at = child;
    }
    numbers[at] = last;
    return top;
  }
}
