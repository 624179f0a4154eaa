import { bySimRank } from "./sim_sequence.ts";
import type { SimSequence } from "./sim_sequence.ts";

/** The sequences that wait, in order of service. */
export class SimLine {
  readonly #line: SimSequence[] = [];

  /** How many wait. */
  get length(): number {
    return this.#line.length;
  }

  /** Who is next; cancelled ones only wait for their end. O(1) without such. */
  get first(): SimSequence | undefined {
    return this.#line.find((one) => !one.isCancelled);
  }

  /** Takes a sequence in at its rank: at the end, unless it is of higher rank or was here before. */
  add(sequence: SimSequence): void {
    let at = this.#line.length;
    while (at > 0 && bySimRank(sequence, this.#line[at - 1]) < 0) at -= 1;
    this.#line.splice(at, 0, sequence);
  }

  /** Takes a sequence out that waits. */
  remove(sequence: SimSequence): void {
    this.#line.splice(this.#line.indexOf(sequence), 1);
  }

  /** All leave. */
  clear(): void {
    this.#line.length = 0;
  }

  /** All that wait, next first. */
  [Symbol.iterator](): Iterator<SimSequence> {
    return this.#line[Symbol.iterator]();
  }
}
