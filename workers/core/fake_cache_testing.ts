import assert from "node:assert/strict";
import type { KvEvent } from "@pixii/wire";
import type { Batcher } from "./batcher.ts";
import type { KvOp } from "./kv_op.ts";
import type { LeavingBlock } from "./leaving_block.ts";
import { plainLogits } from "./plain_model_testing.ts";
import type { Sequence } from "./sequence.ts";

/** One computed token: its identity is the cell. */
interface Cell {
  readonly token: number;
}

/** The engine's cache as plainly as possible: a list of cells per sequence, shared by reference. */
export class FakeCache {
  readonly #slots = new Map<number, Cell[]>();
  readonly #cells: number;
  /** Blocks offered to the host tier, by what they hold. */
  readonly offloaded: LeavingBlock[] = [];

  constructor(cells: number) {
    this.#cells = cells;
  }

  /** Does operations as the engine would. */
  apply(ops: readonly KvOp[]): void {
    for (const op of ops) {
      if (op.op === "copy") {
        assert.equal(this.tokens(op.to).length, 0, "copy into a slot that holds something");
        assert.ok(this.tokens(op.from).length >= op.end, "copy of more than there is");
        this.#slots.set(op.to, this.#slots.get(op.from)!.slice(0, op.end));
      } else if (op.op === "offload") this.#offload(op);
      else this.#slots.set(op.slot, (this.#slots.get(op.slot) ?? []).slice(0, op.start));
    }
  }

  /** What is offered must be there still. */
  #offload({ slot, block }: Extract<KvOp, { op: "offload" }>): void {
    const start = block.index * block.tokens.length;
    const held = this.tokens(slot).slice(start, start + block.tokens.length);
    assert.deepEqual(held, [...block.tokens], "a block is offered that is gone");
    this.offloaded.push(block);
  }

  /** Computes a token at a position: a new cell. */
  add(slot: number, position: number, token: number): void {
    const cells = this.#slots.get(slot) ?? [];
    assert.equal(cells.length, position, "a gap or a repeated position");
    cells.push({ token });
    this.#slots.set(slot, cells);
    assert.ok(this.used <= this.#cells, "more cells than there are");
  }

  /** What a slot holds. */
  tokens(slot: number): number[] {
    return (this.#slots.get(slot) ?? []).map((cell) => cell.token);
  }

  /** Different cells in use. */
  get used(): number {
    return new Set([...this.#slots.values()].flat()).size;
  }
}

/**
 * Computes the next chunk of a prompt, where one is planned, as the engine's step does; `apply` does what the plan asks
 * first, `computed` hears of a whole prompt before the batcher does, and says where the host tier has its last block.
 */
export function computePrefill(
  batcher: Batcher,
  cache: FakeCache,
  { apply, computed }: {
    readonly apply: () => void;
    readonly computed?: (sequence: Sequence, row: Float32Array) => number | undefined;
  },
): void {
  const chunk = batcher.planPrefill();
  apply();
  if (chunk === undefined) return;
  const { sequence, start, end, last } = chunk;
  for (let at = start; at < end; at++) cache.add(sequence.slot!, at, sequence.tokens[at]);
  const logits = last ? plainLogits(cache.tokens(sequence.slot!)) : undefined;
  const host = logits && computed?.(sequence, logits);
  batcher.prefilled(chunk, { logits, host });
}

/** A consumer of KV events: what a router knows. */
export class EventReplay {
  readonly blocks = new Map<number, string>();

  /** Applies events in order, with every rule of the protocol checked. */
  apply(events: readonly KvEvent[]): void {
    for (const event of events) {
      if (event.op === "cleared") this.blocks.clear();
      else if (event.op === "removed") {
        for (const number of event.numbers) {
          assert.ok(this.blocks.delete(number), `block ${number} is removed and was not there`);
        }
      } else this.#store(event);
    }
  }

  #store(event: Extract<KvEvent, { op: "stored" }>): void {
    let parent = event.parent;
    assert.ok(event.numbers.length > 0, "an event that stores nothing");
    event.numbers.forEach((number, i) => {
      assert.ok(number > 0 && !this.blocks.has(number), `block ${number} is stored twice`);
      assert.ok(parent === 0 || this.blocks.has(parent), `parent ${parent} is not there`);
      this.blocks.set(number, `${event.hi[i]},${event.lo[i]},${parent}`);
      parent = number;
    });
  }

  /** What a snapshot says, as `blocks` has it. */
  static of(snapshot: readonly KvEvent[]): Map<number, string> {
    const replay = new EventReplay();
    replay.apply(snapshot);
    return replay.blocks;
  }
}
