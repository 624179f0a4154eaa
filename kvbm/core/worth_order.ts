import { ageBin } from "./age_bins.ts";
import { BlockTree } from "./block_tree.ts";
import type { EvictionOrder } from "./eviction_order.ts";
import { blockPlaces, promptClass, promptClasses, promptKinds } from "./prompt_class.ts";
import type { BlockPlace, PromptFeatures } from "./prompt_class.ts";
import { ReuseSample } from "./reuse_sample.ts";
import { SegmentUse } from "./segment_use.ts";
import type { Slab } from "./slab.ts";
import { slotStates } from "./slot_table.ts";
import type { SlotTable } from "./slot_table.ts";
import {
  packTrait,
  traitClass,
  traitKey,
  traitMarks,
  TraitMemory,
  traitTurn,
} from "./trait_memory.ts";
import { WorthTable } from "./worth_table.ts";

/** Keys remembered outside the pool: per slot of it, at least and at most. */
const rememberedPerSlot = 4;
const leastRemembered = 524_288;
const mostRemembered = 8 * 1_048_576;
/** Worth is weighed anew after so many blocks asked for: a part of the slots, and at least. */
const weighPart = 1 / 8;
const weighLeast = 1_000;
/** What was counted counts half after the pool was asked for so many times its slots. */
const halfLifePools = 64;
/** Blocks looked at for one that nothing hangs on, before one goes though its children stay. */
const mostSteps = 64;

/** What time passes with every block listed, so that no two are listed at once. */
const tick = 2 ** -10;

const marks = { fork: 1, next: 2 } as const;
/** A block that no prompt asked for. */
const plain = packTrait({
  of: promptClass({ kind: promptKinds.goesOn, turn: 1, added: 1 }, blockPlaces.added),
  ...{ turn: 1, hasNext: false, isFork: false },
});

/**
 * Evicts what is worth the least by what it learnt: blocks are told apart by the prompt that last asked for them (does it
 * go on from a conversation, which turn of it, how much is new) and their place in it; of each class the rate of reuse by
 * age is counted over a sample of all keys, evicted ones too, and a block's worth is what keeping it may bring per time.
 * Of a class what was used longest ago goes first, and no block before those that follow it. O(classes) an eviction.
 */
export class WorthOrder implements EvictionOrder {
  readonly #table: SlotTable;
  readonly #tree = new BlockTree();
  readonly #segments: SegmentUse;
  readonly #memory: TraitMemory;
  readonly #sample: ReuseSample;
  readonly #worth = new WorthTable();
  readonly #weighEvery: number;
  readonly #halfLife: number;
  #traits = new Uint16Array(1_024);
  /** Class under which a listed slot is listed. */
  #classes = new Uint16Array(1_024);
  /** Ends of the lists by size and class, 0 where empty. */
  readonly #oldest: Uint32Array[] = [];
  readonly #newest: Uint32Array[] = [];
  #now = 0;
  #weighedAt = 0;
  #count = 0;
  /** A class has no worth yet. */
  #isUnweighed = false;

  constructor(parts: { readonly table: SlotTable; readonly slab: Slab; readonly slots: number }) {
    const slots = Math.max(1, parts.slots);
    this.#table = parts.table;
    this.#segments = new SegmentUse(parts.slab);
    this.#memory = new TraitMemory(
      Math.min(mostRemembered, Math.max(leastRemembered, rememberedPerSlot * slots)),
    );
    this.#sample = new ReuseSample({ classes: promptClasses, slots });
    this.#weighEvery = Math.max(weighLeast, slots * weighPart);
    this.#halfLife = halfLifePools * Math.max(slots, weighLeast);
  }

  get count(): number {
    return this.#count;
  }

  asked(layout: number, routes: Uint32Array, rows: Uint32Array): void {
    const length = routes.length / 2;
    if (length === 0) return;
    this.#now += length;
    const traits = new Uint16Array(length);
    const keys = new Uint32Array(length);
    let known = length;
    let own = 0;
    for (let i = 0; i < length; i++) {
      keys[i] = traitKey(layout, routes[2 * i + 1], routes[2 * i]);
      traits[i] = rows[2 * i] !== 0 ? this.#traitOf(rows[2 * i]) : this.#memory.get(keys[i]);
      if (known < length) continue;
      if (traits[i] === 0) known = i;
      else if ((traitMarks(traits[i]) & marks.fork) !== 0) own = i + 1;
    }
    const { features, isFork } = featuresOf(traits, known, own);
    if (isFork) {
      own = known;
      traits[known - 1] |= marks.fork;
    }
    const { trunk, known: before, added } = blockPlaces;
    const of = [trunk, before, added].map((place) => promptClass(features, place as BlockPlace));
    for (let i = 0; i < length; i++) {
      const place = i < own ? trunk : i < known ? before : added;
      const turn = i < own ? Math.max(1, traitTurn(traits[i])) : Math.min(15, features.turn);
      const next = i + 1 < length ? marks.next : 0;
      const trait = of[place] << 6 | turn << 2 | traitMarks(traits[i]) | next;
      if (rows[2 * i] !== 0) this.#traits[rows[2 * i]] = trait;
      else this.#memory.set(keys[i], trait);
      if (this.#sample.has(keys[i])) this.#sample.used(keys[i], of[place], this.#now);
    }
    if (this.#now - this.#weighedAt >= this.#weighEvery) this.#weigh();
  }

  came(slot: number, parent: number, isEnd: boolean): void {
    while (slot >= this.#traits.length) {
      this.#traits = longer(this.#traits);
      this.#classes = longer(this.#classes);
    }
    this.#tree.add(slot, parent);
    const known = this.#memory.get(this.#keyOf(slot));
    const like = parent === 0 ? plain : this.#traits[parent];
    // What no prompt asked for is an answer: it is as the prompt that it follows.
    this.#traits[slot] = known !== 0 ? known : like & ~(marks.next | marks.fork);
    if (parent !== 0 && !isEnd) this.#traits[parent] |= marks.next;
  }

  left(slot: number): void {
    this.#tree.remove(slot);
    this.#memory.set(this.#keyOf(slot), this.#traits[slot]);
  }

  add(slot: number): void {
    const { older, newer, size, usedAt, page } = this.#table;
    const of = traitClass(this.#traits[slot]);
    while (this.#oldest.length <= size[slot]) {
      this.#oldest.push(new Uint32Array(promptClasses));
      this.#newest.push(new Uint32Array(promptClasses));
    }
    if (this.#sample.meet(of)) this.#isUnweighed = true;
    this.#classes[slot] = of;
    const last = this.#newest[size[slot]][of];
    older[slot] = last;
    newer[slot] = 0;
    if (last === 0) this.#oldest[size[slot]][of] = slot;
    else newer[last] = slot;
    this.#newest[size[slot]][of] = slot;
    this.#now += tick;
    usedAt[slot] = this.#now;
    this.#segments.add(page[slot], this.#now);
    this.#count += 1;
  }

  remove(slot: number): void {
    const { older, newer, size, page } = this.#table;
    const of = this.#classes[slot];
    if (older[slot] === 0) this.#oldest[size[slot]][of] = newer[slot];
    else newer[older[slot]] = newer[slot];
    if (newer[slot] === 0) this.#newest[size[slot]][of] = older[slot];
    else older[newer[slot]] = older[slot];
    this.#segments.remove(page[slot]);
    this.#count -= 1;
  }

  first(size: number): number {
    const heads = this.#oldest[size];
    if (heads === undefined) return 0;
    if (this.#isUnweighed) this.#weigh();
    const { usedAt } = this.#table;
    let least = Infinity;
    let first = 0;
    for (const of of this.#sample.classes) {
      const slot = heads[of];
      if (slot === 0) continue;
      const worth = this.#worthOf(slot);
      if (worth > least) continue;
      if (worth === least && usedAt[slot] >= usedAt[first]) continue;
      [least, first] = [worth, slot];
    }
    return first === 0 ? 0 : this.#lastOfChain(first);
  }

  spareSegment(size: number): number | undefined {
    const own = this.first(size);
    return this.#segments.spare(size, own === 0 ? Infinity : this.#table.usedAt[own]);
  }

  *listed(size: number): Iterable<number> {
    for (const head of this.#oldest[size] ?? []) {
      for (let slot = head; slot !== 0; slot = this.#table.newer[slot]) yield slot;
    }
  }

  *coldest(): Iterable<number> {
    if (this.#isUnweighed) this.#weigh();
    const next = this.#oldest.flatMap((heads) => [...heads].filter((slot) => slot !== 0));
    for (;;) {
      let [best, least] = [-1, Infinity];
      next.forEach((slot, i) => {
        if (slot === 0) return;
        const worth = this.#worthOf(slot);
        if (best < 0 || worth < least) [best, least] = [i, worth];
      });
      if (best < 0) return;
      yield next[best];
      next[best] = this.#table.newer[next[best]];
    }
  }

  checkIntegrity(isListed: (slot: number) => boolean): void {
    const { size, older, newer, page, state } = this.#table;
    const pages: number[] = [];
    this.#oldest.forEach((heads, of) => {
      heads.forEach((head, kind) => {
        let before = 0;
        for (let slot = head; slot !== 0; [before, slot] = [slot, newer[slot]]) {
          if (!isListed(slot) || size[slot] !== of || this.#classes[slot] !== kind) {
            throw new Error(`slot ${slot} is listed as unused`);
          }
          if (older[slot] !== before) throw new Error(`the list breaks at ${slot}`);
          pages.push(page[slot]);
        }
        if (this.#newest[of][kind] !== before) throw new Error(`a list ends not at ${before}`);
      });
    });
    if (pages.length !== this.#count) throw new Error(`${pages.length} slots are listed`);
    this.#segments.checkIntegrity(pages);
    this.#tree.checkIntegrity(this.#table, (slot) => state[slot] === slotStates.committed);
  }

  /** The block that goes for a chain to lose its end first: the deepest that follows and is held by nobody. */
  #lastOfChain(from: number): number {
    const { pins } = this.#table;
    let slot = from;
    for (let steps = 0; steps < mostSteps * 16; steps++) {
      let child = this.#tree.childOf(slot);
      for (let i = 0; i < mostSteps && child !== 0 && pins[child] > 0; i++) {
        child = this.#tree.nextOf(child);
      }
      if (child === 0 || pins[child] > 0) return slot;
      slot = child;
    }
    return slot;
  }

  #worthOf(slot: number): number {
    const age = this.#now - this.#table.usedAt[slot];
    return this.#worth.of(this.#classes[slot], ageBin(age));
  }

  #traitOf(slot: number): number {
    return this.#traits[slot];
  }

  #keyOf(slot: number): number {
    const { layout, hi, lo } = this.#table;
    return traitKey(layout[slot], hi[slot], lo[slot]);
  }

  #weigh(): void {
    this.#sample.pass(this.#now);
    const { classes, uses } = this.#sample;
    this.#worth.weigh({ classes, uses, risk: this.#sample.riskUntil(this.#now) });
    this.#sample.fade(0.5 ** ((this.#now - this.#weighedAt) / this.#halfLife));
    this.#weighedAt = this.#now;
    this.#isUnweighed = false;
  }
}

/** What a prompt is whose first `known` blocks are known, the last place where known prompts part before `own`. */
function featuresOf(
  traits: Uint16Array,
  known: number,
  own: number,
): { readonly features: PromptFeatures; readonly isFork: boolean } {
  const added = traits.length - known;
  const { fresh, fork, goesOn, again } = promptKinds;
  if (known === 0) return { features: { kind: fresh, turn: 1, added }, isFork: false };
  const leaf = traits[known - 1];
  const turn = Math.min(15, traitTurn(leaf) + 1);
  if (added === 0) return { features: { kind: again, turn, added }, isFork: false };
  // Where known prompts part already, one more begins; where they did not, this one takes another way.
  if (own === known) return { features: { kind: fresh, turn: 1, added }, isFork: false };
  if ((traitMarks(leaf) & marks.next) !== 0) {
    return { features: { kind: fork, turn: 1, added }, isFork: true };
  }
  return { features: { kind: goesOn, turn, added }, isFork: false };
}

function longer(from: Uint16Array): Uint16Array<ArrayBuffer> {
  const to = new Uint16Array(from.length * 2);
  to.set(from);
  return to;
}
