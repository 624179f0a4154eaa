import type { KvEvent } from "@pixii/wire";

interface Op {
  stored: boolean;
  parent: number;
  start: number;
  count: number;
}

/** Blocks that there is room for at first: most steps change a few. */
const leastBlocks = 64;

/**
 * The KV events of one step, gathered without an object per block: neighbours of one run become one event. The events
 * are views into buffers; there are two of each in turns, since the next step is planned, and evicts, before a step's
 * events were read.
 */
export class EventLog {
  #numbers = new Uint32Array(leastBlocks);
  #hi = new Uint32Array(leastBlocks);
  #lo = new Uint32Array(leastBlocks);
  /** The columns that the events taken last lie in. */
  #taken = {
    numbers: new Uint32Array(leastBlocks),
    hi: new Uint32Array(leastBlocks),
    lo: new Uint32Array(leastBlocks),
  };
  #length = 0;
  readonly #ops: Op[] = [];
  #opCount = 0;
  readonly #events: KvEvent[] = [];

  /** Block `number` was stored after block `parent` (0 = at the start of a prompt). */
  stored(number: number, parent: number, hash: { readonly hi: number; readonly lo: number }): void {
    const at = this.#length;
    const last = this.#opCount === 0 ? undefined : this.#ops[this.#opCount - 1];
    const goesOn = last?.stored === true && this.#numbers[at - 1] === parent;
    if (!goesOn) this.#begin(true, parent);
    this.#push(number, hash.hi, hash.lo);
  }

  /** Block `number` is gone. */
  removed(number: number): void {
    if (this.#opCount === 0 || this.#ops[this.#opCount - 1].stored) this.#begin(false, 0);
    this.#push(number, 0, 0);
  }

  /** The events since the last call, in order; valid until the next call. */
  take(): readonly KvEvent[] {
    const events = this.#events;
    events.length = 0;
    for (let i = 0; i < this.#opCount; i++) {
      const { stored, parent, start, count } = this.#ops[i];
      const numbers = this.#numbers.subarray(start, start + count);
      if (!stored) events.push({ op: "removed", numbers });
      else {
        const hi = this.#hi.subarray(start, start + count);
        const lo = this.#lo.subarray(start, start + count);
        events.push({ op: "stored", parent, numbers, hi, lo });
      }
    }
    this.#length = 0;
    this.#opCount = 0;
    const { numbers, hi, lo } = this.#taken;
    this.#taken = { numbers: this.#numbers, hi: this.#hi, lo: this.#lo };
    [this.#numbers, this.#hi, this.#lo] = [numbers, hi, lo];
    return events;
  }

  #begin(stored: boolean, parent: number): void {
    const op = this.#ops[this.#opCount];
    if (op === undefined) this.#ops.push({ stored, parent, start: this.#length, count: 0 });
    else {
      op.stored = stored;
      op.parent = parent;
      op.start = this.#length;
      op.count = 0;
    }
    this.#opCount += 1;
  }

  #push(number: number, hi: number, lo: number): void {
    if (this.#length === this.#numbers.length) this.#grow();
    this.#numbers[this.#length] = number;
    this.#hi[this.#length] = hi;
    this.#lo[this.#length] = lo;
    this.#length += 1;
    this.#ops[this.#opCount - 1].count += 1;
  }

  #grow(): void {
    const larger = (column: Uint32Array) => {
      const grown = new Uint32Array(2 * column.length);
      grown.set(column);
      return grown;
    };
    this.#numbers = larger(this.#numbers);
    this.#hi = larger(this.#hi);
    this.#lo = larger(this.#lo);
  }
}
