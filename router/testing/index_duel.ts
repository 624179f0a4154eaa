import assert from "node:assert/strict";
import type { HashList, KvEvent } from "@pixii/wire";
import { IndexBudget } from "../core/index_budget.ts";
import type { OwnerSlot, TierOwners } from "../core/prefix_index.ts";
import { RunIndex } from "../core/run_index.ts";
import { MapIndex } from "./map_index.ts";

/** A whole number in [0, below), by seed (Marsaglia's xorshift32). */
type Draw = (below: number) => number;

function drawOf(seed: number): Draw {
  let x = (Math.imul(seed, 0x9e3779b1) >>> 0) || 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x % below;
  };
}

/** Prompts of a small world: each block has one before it, or none; many share their low half. */
class Prompts {
  readonly size: number;
  readonly #before: number[] = [];
  readonly #draw: Draw;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.size = 20 + draw(400);
    for (let id = 0; id < this.size; id++) {
      const isRoot = id === 0 || draw(12) === 0;
      this.#before.push(isRoot ? -1 : draw(4) > 0 ? id - 1 : draw(id));
    }
  }

  /** A random block with all before it. */
  path(): number[] {
    const path: number[] = [];
    for (let id = this.#draw(this.size); id >= 0; id = this.#before[id]) path.push(id);
    return path.reverse();
  }

  /** Their hashes: halves have their top bit set. */
  hashes(ids: readonly number[]): HashList {
    return {
      hi: Uint32Array.from(ids, (id) => 0x8000_0000 + 97 * id),
      lo: Uint32Array.from(ids, (id) => (0xffff_fff0 + (id % 7)) >>> 0),
    };
  }
}

/** An owner in both indexes, and what it holds: hash id by number. */
interface Rival {
  ours: OwnerSlot;
  theirs: OwnerSlot;
  readonly held: Map<number, number>;
  next: number;
}

/**
 * The same random operations on the index and on the Map tree: stores with parents known, unknown, missing or wrong,
 * numbers used twice, holes, copies, removals of unknown numbers, clears, drops, snapshots put back in; between them
 * questions that both must answer alike.
 */
export class IndexDuel {
  readonly #draw: Draw;
  readonly #prompts: Prompts;
  readonly #ours = new RunIndex(new IndexBudget(2 ** 28));
  readonly #theirs = new MapIndex();
  readonly #rivals: Rival[];
  /** All rivals as candidates, the same list until one is dropped, as decisions have it. */
  #all: { readonly ours: TierOwners[]; readonly theirs: TierOwners[] } | undefined;
  /** In half of the worlds everybody is asked for after every operation: what the index keeps of an answer must not outlive it. */
  readonly #asksAll: boolean;

  constructor(seed: number) {
    this.#draw = drawOf(seed);
    this.#prompts = new Prompts(this.#draw);
    this.#asksAll = seed % 2 === 0;
    this.#rivals = Array.from({ length: 1 + this.#draw(6) }, () => this.#open(new Map()));
  }

  /** One operation or question. Throws where the answers differ. */
  step(): void {
    const rival = this.#rivals[this.#draw(this.#rivals.length)];
    const what = this.#draw(100);
    if (what < 45) this.#both(rival, this.#stored(rival));
    else if (what < 85) this.#both(rival, this.#removed(rival));
    else if (what === 85) {
      this.#both(rival, { op: "cleared" });
      rival.held.clear();
    } else if (what === 86) {
      this.#ours.drop(rival.ours);
      this.#theirs.drop(rival.theirs);
      rival.held.clear();
      Object.assign(rival, this.#open(rival.held));
    } else if (what === 87) {
      const events = [...this.#ours.snapshot(rival.ours)];
      this.#ours.clear(rival.ours);
      assert.equal(this.#ours.apply(rival.ours, events).anomalies, 0);
    } else this.#ask(rival);
    if (this.#asksAll) this.#askAll();
  }

  /** Checks the books of both. */
  check(): void {
    this.#ours.checkIntegrity();
    assert.equal(this.#ours.blocks, this.#theirs.blocks);
  }

  #open(held: Map<number, number>): Rival {
    this.#all = undefined;
    return { ours: this.#ours.open(), theirs: this.#theirs.open(), held, next: 1 };
  }

  #both(rival: Rival, event: KvEvent): void {
    const ours = this.#ours.apply(rival.ours, [event]);
    assert.deepEqual(ours, this.#theirs.apply(rival.theirs, [event]));
  }

  #stored(rival: Rival): KvEvent {
    const draw = this.#draw;
    const path = this.#prompts.path();
    const from = draw(3) > 0 ? 0 : draw(path.length);
    const ids = path.slice(from, from + 1 + draw(path.length - from));
    const kind = draw(6);
    let parent = 0;
    if (kind === 4) parent = 900_000 + draw(50);
    else if (from > 0 && kind < 4) {
      for (const [number, id] of rival.held) if (id === path[from - 1]) parent = number;
    }
    const mode = draw(10);
    const numbers = ids.map(() => mode === 0 ? 1 + draw(300) : rival.next += mode === 1 ? 2 : 1);
    numbers.forEach((number, i) => rival.held.set(number, ids[i]));
    const hashes = this.#prompts.hashes(ids);
    return { op: "stored", parent, numbers: Uint32Array.from(numbers), ...hashes };
  }

  #removed(rival: Rival): KvEvent {
    const draw = this.#draw;
    const held = [...rival.held.keys()];
    let numbers = [draw(1_000) + 5_000_000, draw(10)];
    if (held.length > 0 && draw(10) > 0) {
      const from = draw(held.length);
      numbers = held.slice(from, from + 1 + draw(12));
      if (draw(2) === 0) numbers.reverse();
    }
    for (const number of numbers) rival.held.delete(number);
    return { op: "removed", numbers: Uint32Array.from(numbers) };
  }

  #askAll(): void {
    this.#all ??= {
      ours: this.#rivals.map(({ ours }) => ({ device: ours })),
      theirs: this.#rivals.map(({ theirs }) => ({ device: theirs })),
    };
    const words = 3 * this.#rivals.length;
    const [ours, theirs] = [new Uint32Array(words), new Uint32Array(words)];
    // The second prompt may begin as the first one does.
    for (let i = 0; i < 2; i++) {
      const list = this.#prompts.hashes(this.#prompts.path());
      this.#ours.overlaps(list, this.#all.ours, ours);
      this.#theirs.overlaps(list, this.#all.theirs, theirs);
      assert.deepEqual(ours, theirs);
    }
  }

  #ask(rival: Rival): void {
    const list = this.#prompts.hashes(this.#prompts.path());
    assert.equal(
      this.#ours.longestPrefix(rival.ours, list),
      this.#theirs.longestPrefix(rival.theirs, list),
    );
    const drawn = Array.from(
      { length: 4 },
      () => [0, 1, 2].map(() => this.#rivals[this.#draw(this.#rivals.length + 1)]),
    );
    const of = (side: "ours" | "theirs") =>
      drawn.map(([device, host, disk]): TierOwners => ({
        ...{ device: device?.[side], host: host?.[side], disk: disk?.[side] },
      }));
    const [ours, theirs] = [new Uint32Array(12), new Uint32Array(12)];
    this.#ours.overlaps(list, of("ours"), ours);
    this.#theirs.overlaps(list, of("theirs"), theirs);
    assert.deepEqual(ours, theirs);
    const [has, should] = [new Uint8Array(list.lo.length), new Uint8Array(list.lo.length)];
    this.#ours.holds(rival.ours, list, has);
    this.#theirs.holds(rival.theirs, list, should);
    assert.deepEqual(has, should);
    assert.equal(this.#ours.blocksOf(rival.ours), this.#theirs.blocksOf(rival.theirs));
  }
}
