import type { OwnerSlot } from "../prefix_index.ts";
import type { IndexMemory } from "./index_memory.ts";
import {
  mostRows,
  ownerStride,
  ownerWords,
  pageShift,
  pagesOf,
  runWords,
  spansOf,
} from "./layout.ts";

/** Throws where the books of an index do not add up: runs, spans, pages, counts, children. O(everything). */
export function checkIndex(memory: IndexMemory, open: ReadonlySet<OwnerSlot>): void {
  const { code, words } = memory;
  const held = new Map<OwnerSlot, number>();
  const pages = new Map<OwnerSlot, Set<number>>();
  const heads = new Map<number, number[]>();
  const runs = runsOf(memory);
  checkRows(memory, runs);
  let suspects = 0;
  for (const run of runs) {
    const record = run >>> 2;
    const base = words[record + runWords.base] >>> 2;
    begins(heads, words[base], words[base + 1]);
    const head = record + runWords.head;
    if (words[head] !== words[base] || words[head + 1] !== words[base + 1]) {
      throw new Error(`run ${run} has forgotten how it begins`);
    }
    suspects += words[record + runWords.flags] & 1;
    const length = words[record + runWords.len];
    checkFamily(memory, run, runs);
    let from = 0;
    let end = 0;
    for (const span of spansOf(words, run)) {
      if (span.from < from || span.to <= span.from || span.to > length) {
        throw new Error(`run ${run} has a span ${span.from}-${span.to} of ${length}`);
      }
      from = span.from;
      end = Math.max(end, span.to);
      held.set(span.owner, (held.get(span.owner) ?? 0) + span.to - span.from);
      const last = span.first + (span.to - span.from - 1);
      for (let page = span.first >>> pageShift; page <= last >>> pageShift; page++) {
        put(pages, span.owner, pageKey(page, run));
      }
    }
    if (end !== length) throw new Error(`run ${run} ends behind its last holder`);
  }
  if (suspects !== code.suspects.value) throw new Error("suspect runs are counted wrong");
  let entries = 0;
  let blocks = 0;
  for (const slot of open) {
    if (slot >= code.ownerCap.value) continue;
    const owner = code.owners.value + 4 * ownerStride * slot;
    const has = held.get(slot) ?? 0;
    held.delete(slot);
    if (words[(owner >>> 2) + ownerWords.blocks] !== has) {
      throw new Error(`owner ${slot} holds ${has} blocks and counts others`);
    }
    blocks += has;
    for (const { page, run } of pagesOf(words, owner)) {
      entries += 1;
      if (!pages.get(slot)?.has(pageKey(page, run))) {
        throw new Error(`owner ${slot} has a stale page`);
      }
    }
  }
  if (held.size > 0) throw new Error("an owner that is not open holds blocks");
  if (entries !== sizeOf(pages)) {
    throw new Error(`${sizeOf(pages)} pages are held, ${entries} are known`);
  }
  if (blocks !== code.total.value) throw new Error(`${blocks} blocks held, counted otherwise`);
}

/** A row is of a run that knows it, and a run's row is its own. */
function checkRows({ code, words }: IndexMemory, runs: ReadonlySet<number>): void {
  let known = 0;
  for (const run of runs) {
    const row = words[(run >>> 2) + runWords.row];
    if (row === 0) continue;
    known += 1;
    if (words[row >>> 2] !== run) throw new Error(`run ${run} has the row of another`);
  }
  const [rows, bytes] = [code.rows.value, code.rowBytes.value];
  let made = 0;
  for (let i = 0; i < mostRows && bytes > 0; i++) if (words[(rows + i * bytes) >>> 2] !== 0) made++;
  if (made !== known) throw new Error(`${made} rows are made, runs know ${known}`);
}

/** One number for a page and the run on it: records of runs are 21 words apart at least, more than a double rounds off. */
function pageKey(page: number, run: number): number {
  return page * 2 ** 30 + (run >>> 2);
}

/** Throws where a run that begins with this block was there before. */
function begins(heads: Map<number, number[]>, lo: number, hi: number): void {
  const known = heads.get(lo);
  if (known === undefined) heads.set(lo, [hi]);
  else if (known.includes(hi)) throw new Error("two runs begin with one block");
  else known.push(hi);
}

function put(sets: Map<number, Set<number>>, key: number, value: number): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function sizeOf(sets: ReadonlyMap<number, ReadonlySet<number>>): number {
  return Array.from(sets.values()).reduce((sum, set) => sum + set.size, 0);
}

/** All runs, from the table of their heads. */
function runsOf({ code, words }: IndexMemory): Set<number> {
  const runs = new Set<number>();
  const heads = code.heads.value >>> 2;
  for (let i = 0; i <= code.headMask.value >>> 0; i++) {
    const run = words[heads + 2 * i + 1];
    if (run !== 0) runs.add(run);
  }
  if (runs.size !== code.runCount.value) throw new Error("runs are counted wrong");
  return runs;
}

/** A run's children name it as their parent, and go on from a block that it has. */
function checkFamily({ words }: IndexMemory, run: number, runs: ReadonlySet<number>): void {
  const field = (of: number, name: keyof typeof runWords) => words[(of >>> 2) + runWords[name]];
  const parent = field(run, "parent");
  if (parent !== 0 && !runs.has(parent)) throw new Error(`run ${run} goes on from none`);
  let children = 0;
  let guess = field(run, "guess");
  for (let child = field(run, "child"); child !== 0; child = field(child, "next")) {
    if (field(child, "parent") !== run || field(child, "attach") >= field(run, "len")) {
      throw new Error(`run ${child} is not what run ${run} takes it for`);
    }
    if (field(child, "attach") >= field(run, "flags") >>> 1) {
      throw new Error(`run ${run} overlooks its child ${child}`);
    }
    if (child === guess) guess = 0;
    if (++children > runs.size) throw new Error(`run ${run} has children in a circle`);
  }
  if (guess !== 0) throw new Error(`run ${run} goes on with a run that is none of its children`);
}
