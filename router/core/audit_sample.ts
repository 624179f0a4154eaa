import type { HashList } from "@pixii/wire";
import type { OwnerSlot, PrefixIndex } from "./prefix_index.ts";

/** Longest beginning of a prompt that a sample is taken from, in blocks. */
export const mostChain = 512;
/** Batches that may be applied while an answer is on its way. */
const mostMoves = 256;

/** What an answer came to: `later` where batches that it knows of are still on their way here. */
export type Verdict =
  | { readonly kind: "later" | "unclear" }
  | { readonly kind: "compared"; readonly held: number; readonly gone: number };

/**
 * Blocks of one prompt that the index credits a source with, and how that changes with every batch applied while the
 * source is asked: an answer is compared with what was known after the very batch that it is dated by, so events in
 * flight are no lie.
 */
export class AuditSample {
  /** The blocks asked for. */
  readonly asked: HashList;
  readonly #index: PrefixIndex;
  readonly #slot: OwnerSlot;
  /** The prompt as far as its last block asked for: an index may have to walk from its start. */
  readonly #chain: HashList;
  readonly #places: readonly number[];
  readonly #seen: Uint8Array;
  readonly #moves: { readonly number: number; readonly held: Uint8Array }[] = [];

  private constructor(
    where: { readonly index: PrefixIndex; readonly slot: OwnerSlot },
    chain: HashList,
    places: readonly number[],
  ) {
    this.#index = where.index;
    this.#slot = where.slot;
    const end = places[places.length - 1] + 1;
    this.#chain = { hi: chain.hi.slice(0, end), lo: chain.lo.slice(0, end) };
    this.#places = places;
    this.#seen = new Uint8Array(end);
    this.asked = {
      hi: Uint32Array.from(places, (place) => chain.hi[place]),
      lo: Uint32Array.from(places, (place) => chain.lo[place]),
    };
  }

  /**
   * At most `most` of the blocks of a prompt that the source is credited with, drawn by `draw` in [0, 1); nothing where
   * it has none of them. `number` is that of the last batch applied. O(blocks of the chain).
   */
  static take(
    where: { readonly index: PrefixIndex; readonly slot: OwnerSlot; readonly number: number },
    list: HashList,
    options: { readonly most: number; readonly draw: () => number },
  ): AuditSample | undefined {
    const chain = { hi: list.hi.subarray(0, mostChain), lo: list.lo.subarray(0, mostChain) };
    const held = new Uint8Array(chain.lo.length);
    where.index.holds(where.slot, chain, held);
    const places: number[] = [];
    held.forEach((is, place) => is === 1 && places.push(place));
    if (places.length === 0) return undefined;
    const count = Math.min(options.most, places.length);
    for (let i = 0; i < count; i++) {
      const j = i + Math.floor(options.draw() * (places.length - i));
      [places[i], places[j]] = [places[j], places[i]];
    }
    const drawn = places.slice(0, count).sort((a, b) => a - b);
    const sample = new AuditSample(where, chain, drawn);
    sample.moved(where.number);
    return sample;
  }

  /** The batch of this number was applied, or a snapshot of it. O(blocks of the chain). */
  moved(number: number): void {
    this.#index.holds(this.#slot, this.#chain, this.#seen);
    const held = Uint8Array.from(this.#places, (place) => this.#seen[place]);
    const last = this.#moves.at(-1);
    // Counting has begun anew: the old numbers say nothing any more.
    if (last !== undefined && number < last.number) this.#moves.length = 0;
    else if (last?.number === number) this.#moves.pop();
    this.#moves.push({ number, held });
    if (this.#moves.length > mostMoves) this.#moves.shift();
  }

  /** Compares the source's word, true after its batch `number`, with what was known here after that batch. */
  compare(number: number, held: Uint8Array): Verdict {
    if (held.length !== this.#places.length) return { kind: "unclear" };
    const last = this.#moves[this.#moves.length - 1];
    if (number > last.number) return { kind: "later" };
    const then = this.#moves.findLast((move) => move.number === number);
    if (then === undefined) return { kind: "unclear" };
    let gone = 0;
    let same = 0;
    then.held.forEach((is, i) => {
      // What the owner holds and the index forgot for want of room is no lie.
      if (is === 0) return;
      if (held[i] === 1) same += 1;
      else gone += 1;
    });
    return { kind: "compared", held: same, gone };
  }
}
