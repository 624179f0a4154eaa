import type { Waiting } from "./waiting.ts";

/** One look through a queue: which lanes are done with, and whom it has passed over. Pure. */
export class QueueRound {
  readonly #closed = new Set<string>();
  readonly #passed = new Set<Waiting>();
  readonly #counts = new Map<string, number>();

  /** Lanes that are done with. */
  get closed(): number {
    return this.#closed.size;
  }

  /** No worker of this lane takes anybody now. */
  close(lane: string): void {
    this.#closed.add(lane);
  }

  /** This one goes on waiting, the next of its lane is looked at; `most` (1 or more) so passed over close the lane. O(1). */
  passOver(waiting: Waiting, most: number): void {
    const { lane } = waiting;
    this.#passed.add(waiting);
    const count = (this.#counts.get(lane) ?? 0) + 1;
    this.#counts.set(lane, count);
    if (count >= most) this.close(lane);
  }

  /** True where a lane is done with. O(1). */
  isClosed(lane: string): boolean {
    return this.#closed.has(lane);
  }

  /** True where a request is still to be looked at. O(1). */
  isOpen(waiting: Waiting): boolean {
    return !this.#closed.has(waiting.lane) && !this.#passed.has(waiting);
  }
}
