import { byRank } from "./sequence.ts";
import type { Sequence } from "./sequence.ts";

/** The sequences that wait, in order of service. */
export class WaitLine {
  readonly #line: Sequence[] = [];
  #tokens = 0;

  /** How many wait. */
  get length(): number {
    return this.#line.length;
  }

  /** Tokens of all that wait. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Who is next. */
  get first(): Sequence | undefined {
    return this.#line[0];
  }

  /** Takes a sequence in at its rank. O(log n) to find, O(n) to move. */
  add(sequence: Sequence): void {
    let low = 0;
    let high = this.#line.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (byRank(this.#line[middle], sequence) < 0) low = middle + 1;
      else high = middle;
    }
    this.#line.splice(low, 0, sequence);
    this.#tokens += sequence.tokens.length;
  }

  /** Takes a sequence out; nothing where it does not wait. */
  remove(sequence: Sequence): void {
    const at = this.#line.indexOf(sequence);
    if (at < 0) return;
    this.#line.splice(at, 1);
    this.#tokens -= sequence.tokens.length;
  }

  /** All that wait, next first. */
  [Symbol.iterator](): Iterator<Sequence> {
    return this.#line[Symbol.iterator]();
  }
}
