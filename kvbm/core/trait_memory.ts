/** What is known of a block beside its place: 16 bits. */
export interface BlockTrait {
  /** As `promptClass` numbers them: 10 bits. */
  readonly of: number;
  /** Turn of its conversation, 1 to 15. */
  readonly turn: number;
  /** A block has followed it. */
  readonly hasNext: boolean;
  /** Different blocks have followed it. */
  readonly isFork: boolean;
}

/** Packs a trait; never 0. */
export function packTrait({ of, turn, hasNext, isFork }: BlockTrait): number {
  return of << 6 | Math.min(15, turn) << 2 | (hasNext ? 2 : 0) | (isFork ? 1 : 0);
}

/** The class, the turn and the two marks of a packed trait. */
export const traitClass = (trait: number): number => trait >>> 6;
/** Turn of its conversation. */
export const traitTurn = (trait: number): number => trait >>> 2 & 15;
/** 2 where a block has followed it, plus 1 where different ones have. */
export const traitMarks = (trait: number): number => trait & 3;

/**
 * Remembers the traits of blocks that are not in the pool: those that were asked for and are being computed, and those
 * that left. One place per key, the last word counts, 16 bits of the key are compared: now and then it forgets or errs,
 * and then a block counts as another class for a while. O(1), 4 bytes a place.
 */
export class TraitMemory {
  readonly #places: Uint32Array;
  readonly #mask: number;

  /** For about so many keys. */
  constructor(keys: number) {
    let places = 1_024;
    while (places < keys) places *= 2;
    this.#places = new Uint32Array(places);
    this.#mask = places - 1;
  }

  /** The trait of a key, 0 where none is known. */
  get(key: number): number {
    const entry = this.#places[spread(key) & this.#mask];
    return entry >>> 16 === key >>> 16 ? entry & 0xffff : 0;
  }

  /** Remembers a trait. */
  set(key: number, trait: number): void {
    this.#places[spread(key) & this.#mask] = (key & 0xffff0000 | trait) >>> 0;
  }
}

/** A key for the memory and the sample: the layout and both halves of the hash. */
export function traitKey(layout: number, hi: number, lo: number): number {
  return spread(lo ^ Math.imul(hi, 0x9e3779b1) ^ Math.imul(layout, 0x85ebca6b));
}

/** The finalizer of MurmurHash3 (Austin Appleby). */
function spread(value: number): number {
  let x = value ^ value >>> 16;
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return (x ^ x >>> 16) >>> 0;
}
