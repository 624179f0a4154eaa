import type { HeapSize } from "./heap.ts";

/** A program rests while what it uses changes by no more than this between two looks. */
const restBytes = 2 * 1024 * 1024;
/** Looks in a row at which it must have rested. */
const restLooks = 2;
/** A collection must be worth its pause: so much more is held than after the last one. */
const worthBytes = 48 * 1024 * 1024;

/**
 * Says when a program that rests should give memory back. V8 by itself keeps the pages that a burst took for half a
 * minute and more. Pure: sizes are arguments.
 */
export class RestRule {
  #usedBytes = Infinity;
  #looks = 0;
  #keptBytes = 0;

  /** A look at the heap, at equal intervals. True where its garbage should be collected now; then `collected` follows. */
  look({ heldBytes, usedBytes }: HeapSize): boolean {
    const isResting = Math.abs(usedBytes - this.#usedBytes) <= restBytes;
    this.#usedBytes = usedBytes;
    this.#looks = isResting ? this.#looks + 1 : 0;
    return this.#looks >= restLooks && heldBytes - this.#keptBytes >= worthBytes;
  }

  /** A collection left this size. */
  collected({ heldBytes, usedBytes }: HeapSize): void {
    this.#keptBytes = heldBytes;
    this.#usedBytes = usedBytes;
    this.#looks = 0;
  }
}
