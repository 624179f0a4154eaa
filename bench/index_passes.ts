import { overlapStride } from "@pixii/router/index";
import type { PrefixIndex, TierOwners } from "@pixii/router/index";
import type { IndexCorpus, IndexOp } from "./index_corpus.ts";

/** An index with the workers of a corpus in it. */
export interface Fleet {
  readonly index: PrefixIndex;
  readonly slots: readonly number[];
  readonly candidates: readonly TierOwners[];
  readonly out: Uint32Array;
}

const body = { at: 0, ops: 1 };

/** Opens `workers` owners, each a candidate by itself. */
export function fleetOf(index: PrefixIndex, workers: number): Fleet {
  const slots = Array.from({ length: workers }, () => index.open());
  const candidates = slots.map((device) => ({ device }));
  return { index, slots, candidates, out: new Uint32Array(overlapStride * workers) };
}

/** Does what the operations say, one call each; returns the seconds and a sum over the answers. */
export function run(fleet: Fleet, ops: readonly IndexOp[]): { seconds: number; sum: number } {
  const { index, slots, candidates, out } = fleet;
  let sum = 0;
  const start = performance.now();
  for (const op of ops) {
    if (op.op === "query") {
      index.overlaps(op.list, candidates, out);
      sum += out[0];
    } else if (index.applyEncoded(slots[op.worker], op.bytes, body)?.anomalies !== 0) {
      throw new Error("the corpus contradicts itself");
    }
  }
  return { seconds: (performance.now() - start) / 1000, sum };
}

/** Empties an index. */
export function empty({ index, slots }: Fleet): void {
  for (const slot of slots) index.clear(slot);
}

/** Block operations of a corpus: hashes asked for, blocks stored, blocks removed. */
export function blockOps(
  { queried, stored, removed }: Pick<IndexCorpus, "queried" | "stored" | "removed">,
): number {
  return queried + stored + removed;
}

/** Microseconds of single finds, prompts drawn far from each other and just read, less what looking at the clock takes. */
export function findTimes(fleet: Fleet, ops: readonly IndexOp[], count: number): number[] {
  const lists = ops.flatMap((op) => op.op === "query" ? [op.list] : []);
  const { index, candidates, out } = fleet;
  const clockMs = clockCost();
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const drawn = lists[Math.imul(i, 7_919) % lists.length >>> 0] ?? lists[i % lists.length];
    // A request's hashes were just decoded: they lie in the processor's cache, the index does not.
    const list = { hi: drawn.hi.slice(), lo: drawn.lo.slice() };
    const start = performance.now();
    index.overlaps(list, candidates, out);
    times.push(Math.max(0, performance.now() - start - clockMs) * 1000);
  }
  return times;
}

/** Milliseconds between two looks at the clock, the median. */
function clockCost(): number {
  const gaps: number[] = [];
  for (let i = 0; i < 10_001; i++) {
    const start = performance.now();
    gaps.push(performance.now() - start);
  }
  return gaps.sort((a, b) => a - b)[5_000];
}
