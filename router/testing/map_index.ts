import { decodeKvEventBody } from "@pixii/wire";
import type { HashList, KvEvent } from "@pixii/wire";
import { overlapStride } from "../core/prefix_index.ts";
import type { ApplyOutcome, OwnerSlot, PrefixIndex, TierOwners } from "../core/prefix_index.ts";

/** Most blocks of one event of a snapshot. */
const mostRun = 4_096;

/** One block hash and who holds it. Hashes that share their low half are chained. */
interface Entry {
  readonly hi: number;
  readonly lo: number;
  /** Copies by owner, each at least 1. */
  readonly copies: Map<OwnerSlot, number>;
  next: Entry | undefined;
}

/** The block copies of one owner, by its own numbers. */
type Owner = Map<number, Entry>;

/** The plain index: a map from hash to owners. Simple enough to be the oracle of faster ones. */
export class MapIndex implements PrefixIndex {
  readonly #capacityBlocks: number;
  /** Heads of the chains, by the low half as a signed integer: the keys stay small integers. */
  readonly #entries = new Map<number, Entry>();
  readonly #owners = new Map<OwnerSlot, Owner>();
  readonly #freeSlots: OwnerSlot[] = [];
  #nextSlot = 0;
  #blocks = 0;
  /** Candidates whose prefix still goes on; reused by every walk. */
  #walking = new Int32Array(64);

  constructor(capacityBlocks = Infinity) {
    this.#capacityBlocks = capacityBlocks;
  }

  get owners(): number {
    return this.#owners.size;
  }

  get blocks(): number {
    return this.#blocks;
  }

  open(): OwnerSlot {
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    this.#owners.set(slot, new Map());
    return slot;
  }

  apply(slot: OwnerSlot, events: readonly KvEvent[]): ApplyOutcome {
    const owner = this.#owner(slot);
    let anomalies = 0;
    for (const event of events) {
      if (event.op === "cleared") this.clear(slot);
      else if (event.op === "removed") {
        for (const number of event.numbers) if (!this.#forget(slot, owner, number)) anomalies += 1;
      } else {
        for (let i = 0; i < event.numbers.length; i++) {
          const number = event.numbers[i];
          // A number stored twice: the later word counts.
          if (this.#forget(slot, owner, number)) anomalies += 1;
          if (this.#blocks >= this.#capacityBlocks) return { isFull: true, anomalies };
          this.#blocks += 1;
          const entry = this.#entry(event.hi[i], event.lo[i]);
          entry.copies.set(slot, (entry.copies.get(slot) ?? 0) + 1);
          owner.set(number, entry);
        }
      }
    }
    return { isFull: false, anomalies };
  }

  applyEncoded(
    slot: OwnerSlot,
    bytes: Uint8Array,
    body: { readonly at: number; readonly ops: number },
  ): ApplyOutcome | undefined {
    const events = decodeKvEventBody(bytes, body);
    return events === undefined ? undefined : this.apply(slot, events);
  }

  clear(slot: OwnerSlot): void {
    const owner = this.#owner(slot);
    for (const entry of owner.values()) {
      if (entry.copies.delete(slot) && entry.copies.size === 0) this.#unlink(entry);
    }
    this.#blocks -= owner.size;
    owner.clear();
  }

  drop(slot: OwnerSlot): void {
    this.clear(slot);
    this.#owners.delete(slot);
    this.#freeSlots.push(slot);
  }

  blocksOf(slot: OwnerSlot): number {
    return this.#owner(slot).size;
  }

  longestPrefix(slot: OwnerSlot, list: HashList): number {
    for (let i = 0; i < list.lo.length; i++) {
      if (!this.#find(list.hi[i], list.lo[i])?.copies.has(slot)) return i;
    }
    return list.lo.length;
  }

  holds(slot: OwnerSlot, list: HashList, out: Uint8Array): void {
    for (let i = 0; i < list.lo.length; i++) {
      out[i] = this.#find(list.hi[i], list.lo[i])?.copies.has(slot) ? 1 : 0;
    }
  }

  *snapshot(slot: OwnerSlot): Iterable<KvEvent> {
    const owner = this.#owner(slot);
    const numbers = Uint32Array.from(owner.keys());
    const entries = [...owner.values()];
    for (let at = 0; at < numbers.length; at += mostRun) {
      const run = entries.slice(at, at + mostRun);
      yield {
        ...{ op: "stored", parent: 0, numbers: numbers.subarray(at, at + mostRun) },
        ...{ hi: Uint32Array.from(run, ({ hi }) => hi), lo: Uint32Array.from(run, ({ lo }) => lo) },
      };
    }
  }

  overlaps(list: HashList, candidates: readonly TierOwners[], out: Uint32Array): void {
    out.fill(0, 0, overlapStride * candidates.length);
    if (this.#walking.length < candidates.length) {
      this.#walking = new Int32Array(2 * candidates.length);
    }
    const walking = this.#walking;
    let left = candidates.length;
    for (let j = 0; j < left; j++) walking[j] = j;
    for (let i = 0; i < list.lo.length && left > 0; i++) {
      const copies = this.#find(list.hi[i], list.lo[i])?.copies;
      if (copies === undefined) return;
      let kept = 0;
      for (let at = 0; at < left; at++) {
        const j = walking[at];
        const tier = tierOf(copies, candidates[j]);
        if (tier === undefined) continue;
        out[overlapStride * j + tier] += 1;
        walking[kept++] = j;
      }
      left = kept;
    }
  }

  release(): void {
    this.#entries.clear();
    this.#owners.clear();
    this.#blocks = 0;
  }

  checkIntegrity(): void {
    const seen = new Map<Entry, Map<OwnerSlot, number>>();
    let blocks = 0;
    for (const [slot, owner] of this.#owners) {
      for (const entry of owner.values()) {
        blocks += 1;
        const copies = seen.get(entry) ?? new Map<OwnerSlot, number>();
        seen.set(entry, copies.set(slot, (copies.get(slot) ?? 0) + 1));
      }
    }
    let entries = 0;
    for (const [key, head] of this.#entries) {
      for (let entry: Entry | undefined = head; entry !== undefined; entry = entry.next) {
        entries += 1;
        const name = `block ${entry.hi}:${entry.lo}`;
        const copies = seen.get(entry);
        if ((entry.lo | 0) !== key) throw new Error(`${name} is in another's chain`);
        if (copies === undefined) throw new Error(`${name} is held by nobody`);
        const isSame = copies.size === entry.copies.size &&
          [...copies].every(([slot, count]) => entry!.copies.get(slot) === count);
        if (!isSame) throw new Error(`${name} has wrong counts`);
        if (this.#find(entry.hi, entry.lo) !== entry) throw new Error(`${name} is there twice`);
      }
    }
    if (entries !== seen.size) throw new Error(`${entries} entries linked, ${seen.size} held`);
    if (blocks !== this.#blocks) throw new Error(`${this.#blocks} blocks counted, ${blocks} held`);
  }

  #owner(slot: OwnerSlot): Owner {
    const owner = this.#owners.get(slot);
    if (owner === undefined) throw new Error(`owner ${slot} was never opened or was dropped`);
    return owner;
  }

  #find(hi: number, lo: number): Entry | undefined {
    let entry = this.#entries.get(lo | 0);
    while (entry !== undefined && entry.hi !== hi) entry = entry.next;
    return entry;
  }

  #entry(hi: number, lo: number): Entry {
    const found = this.#find(hi, lo);
    if (found !== undefined) return found;
    const entry = { hi, lo, copies: new Map(), next: this.#entries.get(lo | 0) };
    this.#entries.set(lo | 0, entry);
    return entry;
  }

  /** Ends the membership of one copy; false where the number is unknown. */
  #forget(slot: OwnerSlot, owner: Owner, number: number): boolean {
    const entry = owner.get(number);
    if (entry === undefined) return false;
    owner.delete(number);
    this.#blocks -= 1;
    const count = entry.copies.get(slot)!;
    if (count > 1) entry.copies.set(slot, count - 1);
    else {
      entry.copies.delete(slot);
      if (entry.copies.size === 0) this.#unlink(entry);
    }
    return true;
  }

  #unlink(entry: Entry): void {
    const key = entry.lo | 0;
    let before = this.#entries.get(key);
    if (before === entry) {
      if (entry.next === undefined) this.#entries.delete(key);
      else this.#entries.set(key, entry.next);
      return;
    }
    while (before !== undefined && before.next !== entry) before = before.next;
    if (before !== undefined) before.next = entry.next;
  }
}

/** The best tier that holds a block, as an offset into `overlaps`' output. */
function tierOf(copies: Map<OwnerSlot, number>, owners: TierOwners): 0 | 1 | 2 | undefined {
  if (owners.device !== undefined && copies.has(owners.device)) return 0;
  if (owners.host !== undefined && copies.has(owners.host)) return 1;
  return owners.disk !== undefined && copies.has(owners.disk) ? 2 : undefined;
}
