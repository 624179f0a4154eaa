import type { OwnerSlot, TierOwners } from "../prefix_index.ts";
import type { IndexMemory } from "./index_memory.ts";

const tierNames = ["device", "host", "disk"] as const;
/** Marks a link that is the place of a list. */
const listMark = 0x8000_0000;

/** Which candidates an owner counts for, written into the index's memory and kept there while they are the same. */
export class CandidateLinks {
  readonly #memory: IndexMemory;
  #last: readonly TierOwners[] = [];
  /** The elements of `#last` when it was written. */
  #elements: readonly TierOwners[] = [];
  #linked: OwnerSlot[] = [];
  #isTiered = false;
  #out = 0;

  constructor(memory: IndexMemory) {
    this.#memory = memory;
  }

  /** True where some candidate counts blocks below the device. */
  get isTiered(): boolean {
    return this.#isTiered;
  }

  /** Where the answer for each candidate is found. */
  get out(): number {
    return this.#out;
  }

  /** Owners moved or changed: the next candidates are written anew. */
  forget(): void {
    this.#last = [];
    this.#elements = [];
  }

  /** Sees to it that these candidates are linked; false where there is no room. O(candidates), less where they are the last ones. */
  put(candidates: readonly TierOwners[]): boolean {
    if (this.#isSame(candidates)) return true;
    this.forget();
    const byOwner = new Map<OwnerSlot, number[]>();
    this.#isTiered = false;
    const { code } = this.#memory;
    candidates.forEach((owners, j) => {
      tierNames.forEach((name, tier) => {
        const slot = owners[name];
        if (slot === undefined || slot >= code.ownerCap.value) return;
        if (tier > 0) this.#isTiered = true;
        const link = ((j << 2) | tier) + 1;
        const known = byOwner.get(slot);
        if (known === undefined) byOwner.set(slot, [link]);
        // Every owner counts for a candidate in its best tier alone.
        else if (known[known.length - 1] - 1 >> 2 !== j) known.push(link);
        if (byOwner.get(slot)!.length > 1) this.#isTiered = true;
      });
    });
    let words = 0;
    for (const list of byOwner.values()) if (list.length > 1) words += list.length + 1;
    if (code.ensureCandidates(candidates.length, words) === 0) return false;
    this.#write(byOwner);
    this.#out = code.out.value;
    this.#last = candidates;
    this.#elements = [...candidates];
    return true;
  }

  #isSame(candidates: readonly TierOwners[]): boolean {
    if (candidates.length !== this.#elements.length || candidates.length === 0) return false;
    if (candidates === this.#last) return true;
    for (let j = 0; j < candidates.length; j++) {
      if (candidates[j] !== this.#elements[j]) return false;
    }
    return true;
  }

  #write(byOwner: ReadonlyMap<OwnerSlot, readonly number[]>): void {
    const { code, words } = this.#memory;
    const links = code.links.value >>> 2;
    for (const slot of this.#linked) words[links + slot] = 0;
    this.#linked = [...byOwner.keys()];
    let at = 0;
    const lists = code.lists.value >>> 2;
    for (const [slot, list] of byOwner) {
      if (list.length === 1) words[links + slot] = list[0];
      else {
        words[links + slot] = (listMark | at) >>> 0;
        words[lists + at] = list.length;
        words.set(list, lists + at + 1);
        at += list.length + 1;
      }
    }
  }
}
