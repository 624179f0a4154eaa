import type { Block } from "./block_index.ts";

/** Which blocks of the device the host tier is known to hold too, by their slot there. O(1) a block. */
export class HostedBlocks {
  readonly #bySlot = new Map<number, Block>();

  /** The host tier holds a block in a slot, and nothing else there. */
  note(host: number, block: Block): void {
    this.forget([host]);
    this.left(block);
    block.host = host;
    this.#bySlot.set(host, block);
  }

  /** It does not hold these slots' blocks any more; unknown ones are passed over. */
  forget(slots: Iterable<number>): void {
    for (const slot of slots) this.left(this.#bySlot.get(slot));
  }

  /** The host tier is another one, or none. */
  clear(): void {
    this.forget(this.#bySlot.keys());
  }

  /** A block has left the device, or the tier. */
  left(block: Block | undefined): void {
    if (block?.host === undefined) return;
    this.#bySlot.delete(block.host);
    block.host = undefined;
  }

  /** Throws where the books do not add up. O(blocks). */
  checkIntegrity(): void {
    for (const [host, block] of this.#bySlot) {
      if (block.host !== host) throw new Error(`block ${block.number} is not in host slot ${host}`);
      if (block.holders.size === 0) throw new Error(`block ${block.number} is gone and hosted`);
    }
  }
}
