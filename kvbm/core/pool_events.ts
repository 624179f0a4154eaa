import type { KvEvent } from "@pixii/wire";

interface Run {
  readonly parent: number;
  readonly numbers: number[];
  readonly hi: number[];
  readonly lo: number[];
}

/** One block that came. `parent`: number of the block before, 0 where that is not in the pool. */
export interface StoredNote {
  readonly number: number;
  readonly parent: number;
  readonly hi: number;
  readonly lo: number;
}

/** Changes of one layout's blocks in order, children told in one run with their parents where they follow each other. */
export class PoolEvents {
  #events: KvEvent[] = [];
  #run: Run | undefined;
  #removed: number[] = [];

  /** True where nothing changed. */
  get isEmpty(): boolean {
    return this.#events.length === 0 && this.#run === undefined && this.#removed.length === 0;
  }

  /** A block came. */
  stored({ number, parent, hi, lo }: StoredNote): void {
    this.#endRemoved();
    if (this.#run === undefined || parent === 0 || this.#run.numbers.at(-1) !== parent) {
      this.#endRun();
      this.#run = { parent, numbers: [], hi: [], lo: [] };
    }
    this.#run.numbers.push(number);
    this.#run.hi.push(hi);
    this.#run.lo.push(lo);
  }

  /** A block went. */
  removed(number: number): void {
    this.#endRun();
    this.#removed.push(number);
  }

  /** All changes since the last call. */
  take(): KvEvent[] {
    this.#endRun();
    this.#endRemoved();
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #endRun(): void {
    if (this.#run === undefined) return;
    const { parent, numbers, hi, lo } = this.#run;
    this.#run = undefined;
    this.#events.push({
      op: "stored",
      parent,
      numbers: new Uint32Array(numbers),
      hi: new Uint32Array(hi),
      lo: new Uint32Array(lo),
    });
  }

  #endRemoved(): void {
    if (this.#removed.length === 0) return;
    this.#events.push({ op: "removed", numbers: new Uint32Array(this.#removed) });
    this.#removed = [];
  }
}
