import type { HashList, KvEvent } from "@pixii/wire";
import { CandidateLinks } from "./index/candidate_links.ts";
import { checkIndex } from "./index/index_check.ts";
import { IndexMemory } from "./index/index_memory.ts";
import { snapshotOf } from "./index/index_snapshot.ts";
import { ownerStride } from "./index/layout.ts";
import type { IndexBudget } from "./index_budget.ts";
import { overlapStride } from "./prefix_index.ts";
import type { ApplyOutcome, OwnerSlot, PrefixIndex, TierOwners } from "./prefix_index.ts";

/** Most blocks of an event that are handed over at a time. */
const mostPiece = 4_096;
const opCodes = { stored: 1, removed: 2, cleared: 3 } as const;
const fine: ApplyOutcome = { isFull: false, anomalies: 0 };

/** What an index is made of, for `/index` and metrics. */
export interface IndexSize {
  readonly runs: number;
  /** Runs whose first block may stand in another run as well: walks over them take the slow way. */
  readonly suspects: number;
  readonly bytes: number;
}

/**
 * The compressed tree: runs of blocks in WebAssembly memory, one probe per run, spans that say who holds which part of a
 * run under which numbers (docs/decisions/0005). Exact as long as a hash always has the same hash before it, which a
 * RouteHash has; where a publisher lies about that, or the budget is spent, it credits less and never more.
 */
export class RunIndex implements PrefixIndex {
  readonly #budget: IndexBudget;
  readonly #memory: IndexMemory;
  readonly #links: CandidateLinks;
  readonly #open = new Set<OwnerSlot>();
  readonly #freeSlots: OwnerSlot[] = [];
  #nextSlot = 0;
  #counted = 0;
  #evicted = 0;
  #out: Uint32Array = new Uint32Array();
  /** Slots that have a record. */
  #roomy = 0;
  #input = 0;
  #inputBytes = 0;

  constructor(budget: IndexBudget) {
    this.#budget = budget;
    this.#memory = new IndexMemory(budget);
    this.#links = new CandidateLinks(this.#memory);
  }

  get owners(): number {
    return this.#open.size;
  }

  get blocks(): number {
    return this.#counted;
  }

  /** What it is made of. */
  get size(): IndexSize {
    const { runCount, suspects } = this.#memory.code;
    const bytes = this.#memory.bytes.byteLength;
    return { runs: runCount.value, suspects: suspects.value, bytes };
  }

  open(): OwnerSlot {
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    this.#links.forget();
    this.#open.add(slot);
    // Without room for its record it holds nothing, and `apply` says that the index is full.
    if (this.#memory.isPaid) this.#memory.code.openOwner(slot);
    this.#tell();
    return slot;
  }

  apply(slot: OwnerSlot, events: readonly KvEvent[]): ApplyOutcome {
    this.#check(slot);
    let anomalies = 0;
    for (const event of events) {
      const count = event.op === "cleared" ? 0 : event.numbers.length;
      let at = 0;
      do {
        const end = Math.min(count, at + mostPiece);
        const bytes = this.#isRoomy(slot) ? this.#write(event, at, end) : 0;
        if (bytes === 0) return this.#outcome(true, anomalies);
        const result = this.#memory.code.apply(slot, this.#input, bytes, 1);
        anomalies += result >>> 2;
        if ((result & 3) === 1) return this.#outcome(true, anomalies);
        at = end;
      } while (at < count);
    }
    return this.#outcome(false, anomalies);
  }

  applyEncoded(
    slot: OwnerSlot,
    bytes: Uint8Array,
    body: { readonly at: number; readonly ops: number },
  ): ApplyOutcome | undefined {
    this.#check(slot);
    if (!this.#isRoomy(slot) || !this.#hasInput(bytes.length)) return this.#outcome(true, 0);
    const { code } = this.#memory;
    const input = this.#input;
    this.#memory.bytes.set(bytes, input);
    const result = code.apply(slot, input + body.at, bytes.length - body.at, body.ops);
    return (result & 3) === 2 ? undefined : this.#outcome((result & 3) === 1, result >>> 2);
  }

  clear(slot: OwnerSlot): void {
    this.#check(slot);
    if (this.#isRoomy(slot)) this.#memory.code.clearOwner(slot);
    this.#tell();
  }

  drop(slot: OwnerSlot): void {
    this.#check(slot);
    if (this.#isRoomy(slot)) this.#memory.code.closeOwner(slot);
    this.#open.delete(slot);
    this.#freeSlots.push(slot);
    this.#tell();
  }

  blocksOf(slot: OwnerSlot): number {
    this.#check(slot);
    return this.#isRoomy(slot) ? this.#memory.code.blocksOf(slot) : 0;
  }

  longestPrefix(slot: OwnerSlot, list: HashList): number {
    const out = new Uint32Array(overlapStride);
    this.overlaps(list, [{ device: slot }], out);
    return out[0];
  }

  holds(slot: OwnerSlot, list: HashList, out: Uint8Array): void {
    const blocks = list.lo.length;
    out.fill(0, 0, blocks);
    if (!this.#isRoomy(slot) || !this.#putList(list, 9 * blocks)) return;
    const marks = this.#memory.code.holds(slot, blocks);
    out.set(this.#memory.bytes.subarray(marks, marks + blocks));
  }

  snapshot(slot: OwnerSlot): Iterable<KvEvent> {
    this.#check(slot);
    if (!this.#isRoomy(slot)) return [];
    const owner = this.#memory.code.owners.value + 4 * ownerStride * slot;
    return snapshotOf(this.#memory.words, owner, slot);
  }

  overlaps(list: HashList, candidates: readonly TierOwners[], out: Uint32Array): void {
    const count = candidates.length;
    const isReady = this.#memory.isPaid && this.#links.put(candidates) &&
      this.#putList(list, 8 * list.lo.length);
    if (!isReady) {
      // No room to answer: nothing is credited.
      out.fill(0, 0, overlapStride * count);
      return;
    }
    const { code } = this.#memory;
    if (this.#links.isTiered) code.findTiers(list.lo.length, count);
    else code.find(list.lo.length, count);
    const { bytes } = this.#memory;
    const at = this.#links.out;
    const isStale = this.#out.byteOffset !== at || this.#out.buffer !== bytes.buffer ||
      this.#out.length !== overlapStride * count;
    if (isStale) this.#out = new Uint32Array(bytes.buffer, at, overlapStride * count);
    out.set(this.#out);
  }

  release(): void {
    this.#budget.count(-this.#counted, 0);
    this.#counted = 0;
    this.#memory.release();
  }

  checkIntegrity(): void {
    checkIndex(this.#memory, this.#open);
    this.#memory.code.told();
    if (this.#counted !== this.#memory.words[0]) {
      throw new Error("blocks are held that were not counted");
    }
  }

  #check(slot: OwnerSlot): void {
    if (!this.#open.has(slot)) throw new Error(`owner ${slot} was never opened or was dropped`);
  }

  /** Whether the owner has a record. */
  #isRoomy(slot: OwnerSlot): boolean {
    if (slot < this.#roomy) return true;
    const { code, isPaid } = this.#memory;
    const isRoomy = isPaid && (slot < code.ownerCap.value || code.openOwner(slot) !== 0);
    if (isRoomy) this.#roomy = code.ownerCap.value;
    return isRoomy;
  }

  /** Sees to it that `#input` has room for so many bytes. */
  #hasInput(bytes: number): boolean {
    if (bytes <= this.#inputBytes) return true;
    const input = this.#memory.code.ensureInput(bytes);
    this.#tell();
    if (input === 0) return false;
    this.#input = input;
    this.#inputBytes = bytes;
    return true;
  }

  /** Writes blocks `from` to `to` of an event as a message holds them; returns the bytes, 0 where there is no room. */
  #write(event: KvEvent, from: number, to: number): number {
    const count = to - from;
    if (!this.#hasInput(12 + 12 * count)) return 0;
    const { words } = this.#memory;
    let at = this.#input >>> 2;
    words[at++] = opCodes[event.op];
    words[at++] = count;
    if (event.op === "removed") words.set(event.numbers.subarray(from, to), at);
    else if (event.op === "stored") {
      words[at++] = from === 0 ? event.parent : event.numbers[from - 1];
      for (let i = from; i < to; i++) {
        words[at++] = event.numbers[i];
        words[at++] = event.lo[i];
        words[at++] = event.hi[i];
      }
      return 12 + 12 * count;
    }
    return event.op === "removed" ? 8 + 4 * count : 8;
  }

  #putList(list: HashList, bytes: number): boolean {
    if (!this.#hasInput(bytes)) return false;
    const { words } = this.#memory;
    const at = this.#input >>> 2;
    words.set(list.lo, at);
    words.set(list.hi, at + list.lo.length);
    return true;
  }

  #outcome(isFull: boolean, anomalies: number): ApplyOutcome {
    this.#settle();
    return !isFull && anomalies === 0 ? fine : { isFull, anomalies };
  }

  /** Asks the code for its counts, and tells the budget. */
  #tell(): void {
    this.#memory.code.told();
    this.#settle();
  }

  /** Tells the budget what came and went. */
  #settle(): void {
    const { words } = this.#memory;
    const blocks = words[0];
    const evicted = words[1];
    if (blocks === this.#counted && evicted === this.#evicted) return;
    this.#budget.count(blocks - this.#counted, (evicted - this.#evicted) >>> 0);
    this.#counted = blocks;
    this.#evicted = evicted;
  }
}
