import type { KvEventBatch } from "@pixii/wire";

/** Most batches that wait for a snapshot, per source. */
const mostBatches = 1_024;
/** Most block numbers in them. */
const mostBlocks = 262_144;

/** Batches that came before what must precede them, by number. Over its bounds the oldest go: a snapshot is likely to include them. */
export class EventBuffer {
  readonly #batches = new Map<number, KvEventBatch>();
  #blocks = 0;

  /** Batches held. */
  get size(): number {
    return this.#batches.size;
  }

  /** The highest number held; 0 where nothing is. O(batches). */
  get last(): number {
    return Math.max(0, ...this.#batches.keys());
  }

  /** Takes a batch; false where its number is held already. */
  add(batch: KvEventBatch): boolean {
    if (this.#batches.has(batch.number)) return false;
    this.#batches.set(batch.number, batch);
    this.#blocks += blocksOf(batch);
    while (this.#batches.size > mostBatches || (this.#blocks > mostBlocks && this.size > 1)) {
      this.take(Math.min(...this.#batches.keys()));
    }
    return true;
  }

  /** Removes and returns the batch of a number. */
  take(number: number): KvEventBatch | undefined {
    const batch = this.#batches.get(number);
    if (batch === undefined) return undefined;
    this.#batches.delete(number);
    this.#blocks -= blocksOf(batch);
    return batch;
  }

  /** Forgets every batch up to and with `number`. */
  dropUpTo(number: number): void {
    for (const held of [...this.#batches.keys()]) if (held <= number) this.take(held);
  }

  /** Forgets everything. */
  clear(): void {
    this.#batches.clear();
    this.#blocks = 0;
  }
}

function blocksOf(batch: KvEventBatch): number {
  let blocks = 1;
  for (const event of batch.events) blocks += event.op === "cleared" ? 1 : event.numbers.length;
  return blocks;
}
