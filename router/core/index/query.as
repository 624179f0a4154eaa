// Queries: who holds how much of a prompt from its start.
//
// Candidates are joined from owners: `links` has a word per owner: 0 for none, candidate << 2 | tier + 1 for one, or, with
// bit 31 set, the place of a list in `lists`: how many, then each as above. Tiers: 0 device, 1 host, 2 disk.

/** 12 bytes a candidate: blocks in device, host, disk. */
export let out: usize = 0;
/** 20 bytes a candidate: reach, end and length of the union of device, end and length of device and host. */
let joined: usize = 0;
export let lists: usize = 0;
export let candidateCap: u32 = 0;
export let listCap: u32 = 0;
/** Runs that the last query walked over. */
export let walked: u32 = 0;

/** How large the memory was when rows were last made or found no room. */
let rowsHeap: usize = 0;

/** Room for rows, where an eighth of the memory is more than they take and no block has to go for them. */
function ensureRows(candidates: u32): void {
  const size = candidates * 12 + rowHead;
  if (size <= rowBytes || rowsHeap == heapEnd) return;
  rowsHeap = heapEnd;
  const bytes = mostRows * size;
  if (bytes > <u32>(heapEnd >>> 3)) return;
  fadeAll();
  if (rows) free(rows);
  rows = 0;
  rowBytes = 0;
  if (!findFree(rounded(bytes)) && !grow(bytes + (bytes >>> 4) + 64)) return;
  rows = alloc(bytes);
  if (!rows) return;
  rowBytes = size;
  memory.fill(rows, 0, bytes);
}

/** Room for candidates and words of lists; false where the heap has none. Lists are lost, and what was known of others. */
export function ensureCandidates(candidates: u32, words: u32): bool {
  fadeAll();
  if (candidates > candidateCap) {
    const cap = candidates + (candidates >>> 2);
    if (!reserve(cap * 40 + 256)) return false;
    const moved = alloc(cap * 12);
    const movedJoined = alloc(cap * 20);
    if (!moved || !movedJoined) return false;
    if (out) { free(out); free(joined); }
    out = moved;
    joined = movedJoined;
    candidateCap = cap;
  }
  if (words > listCap) {
    if (!reserve((words << 2) + 64)) return false;
    const moved = alloc(words << 2);
    if (!moved) return false;
    if (lists) free(lists);
    lists = moved;
    listCap = sizeOf(moved) >>> 2;
  }
  rowsHeap = 0;
  return true;
}

/** Notes what was found of the first run of a prompt. */
function keepRow(run: usize, m: u32, most: u32, candidates: u32): void {
  ensureRows(candidates);
  if (rowBytes < candidates * 12 + rowHead) return;
  let row: usize = load<u32>(run, rRow);
  if (!row) {
    row = rows + nextRow * rowBytes;
    nextRow = (nextRow + 1) % mostRows;
    const other: usize = load<u32>(row, wRun);
    if (other) store<u32>(other, 0, rRow);
    store<u32>(row, <u32>run, wRun);
    store<u32>(run, <u32>row, rRow);
  }
  store<u32>(row, m, wMatched);
  store<u32>(row, most, wMost);
  memory.copy(row + rowHead, out, candidates * 12);
}

@inline function hashAt(lo: usize, hi: usize, i: u32): u64 {
  return <u64>load<u32>(lo + (i << 2)) | (<u64>load<u32>(hi + (i << 2)) << 32);
}

/** How many of the first `most` hashes at `base` equal those of the list. */
@inline function matched(base: usize, lo: usize, hi: usize, most: u32): u32 {
  let i: u32 = 0;
  while (i + 4 <= most) {
    const l = v128.load(lo + (i << 2));
    const h = v128.load(hi + (i << 2));
    const a = v128.shuffle<u32>(l, h, 0, 4, 1, 5);
    const b = v128.shuffle<u32>(l, h, 2, 6, 3, 7);
    const at = base + (i << 3);
    const wrong = v128.or(
      v128.xor(a, v128.load(at)),
      v128.xor(b, v128.load(at, 16)),
    );
    if (v128.any_true(wrong)) break;
    i += 4;
  }
  while (i < most && load<u64>(base + (i << 3)) == hashAt(lo, hi, i)) i++;
  return i;
}

/** True where a suspect run begins at one of these places of the list: its blocks may stand in two places. */
function hasSuspect(lo: usize, hi: usize, from: u32, to: u32): bool {
  for (let i = from; i < to; i++) {
    const hash = hashAt(lo, hi, i);
    if (!maybeSuspect(hash)) continue;
    const run = probe(hash);
    if (run && (load<u32>(run, rFlags) & suspect)) return true;
  }
  return false;
}

/** The run with the first block of a prompt: it hangs in the air no more, nothing comes before it. */
@inline function rootOf(lo: usize, hi: usize): usize {
  const run = probe(hashAt(lo, hi, 0));
  if (run && (load<u32>(run, rFlags) & suspect)) clearSuspect(run);
  return run;
}

/** Keeps the loads of `touchNext` from being left out. */
let touched: u32 = 0;

/**
 * Touches the run that the walk probably goes on with, and the record of the one after it: their memory is on the way
 * while this run is compared. At the next run its guess is at hand already.
 */
@inline function touchNext(run: usize): void {
  const guess: usize = load<u32>(run, rGuess);
  if (!guess) return;
  const after: usize = load<u32>(guess, rGuess);
  touched = load<u32>(load<u32>(guess, rBase)) + load<u32>(load<u32>(guess, rSpans));
  if (after) touched += load<u32>(after, rBase);
}

/** The run that begins with the hash, behind `run`: mostly the one that was taken before, without a probe. */
@inline function goOn(run: usize, hash: u64): usize {
  const guess: usize = load<u32>(run, rGuess);
  if (guess && headHash(guess) == hash) return guess;
  const next = probe(hash);
  if (next && load<u32>(next, rParent) == <u32>run) store<u32>(run, <u32>next, rGuess);
  return next;
}

/**
 * Candidates that are devices only: for each, how many of the `n` blocks of the list it holds from the start. The list is
 * at `input`, low halves and then high ones.
 */
export function find(n: u32, candidates: u32): void {
  const reach = out;
  walked = 0;
  const lo = input;
  const hi = input + (n << 2);
  let run = n ? rootOf(lo, hi) : 0;
  clock += 1;
  let pos: u32 = 0;
  let most: u32 = 0;
  // Answers begin as a copy of a row, or empty.
  let row: usize = run && load<u32>(run, rCount) >= leastSpans ? load<u32>(run, rRow) : 0;
  if (!row) memory.fill(reach, 0, candidates * 12);
  while (run) {
    touchNext(run);
    store<u32>(run, clock, rUse);
    walked += 1;
    const asked = min(load<u32>(run, rLen), n - pos);
    const count = load<u32>(run, rCount);
    const spans: usize = load<u32>(run, rSpans);
    if (row) {
      const had = load<u32>(row, wMatched);
      // What nobody held up to there nobody holds farther.
      const m = matched(load<u32>(run, rBase), lo, hi, load<u32>(row, wMost) < had ? min(had, asked) : asked);
      if (m == had) {
        if (suspects && hasSuspect(lo, hi, 1, m)) return findAll(n, candidates, false);
        memory.copy(reach, row + rowHead, candidates * 12);
        most = load<u32>(row, wMost);
        row = 0;
        pos = m;
        if (most < pos || pos == n) return;
        run = goOn(run, hashAt(lo, hi, pos));
        continue;
      }
      memory.fill(reach, 0, candidates * 12);
      row = 0;
    }
    // As if the prompt had all blocks of the run: nothing behind what somebody holds without a hole needs to be compared.
    const end = spans + count * spanBytes;
    let s = spans;
    for (; s < end; s += spanBytes) {
      const from = load<u32>(s) + pos;
      if (from > most) break;
      const link = load<u32>(links + (load<u32>(s, 8) << 2));
      if (!link) continue;
      const at = reach + ((link - 1) >>> 2) * 12;
      const has = load<u32>(at);
      if (has < from) continue;
      const to = load<u32>(s, 4) + pos;
      if (to <= has) continue;
      store<u32>(at, to);
      most = max(most, to);
    }
    const m = matched(load<u32>(run, rBase), lo + (pos << 2), hi + (pos << 2), min(asked, most + 1 - pos));
    if (suspects && hasSuspect(lo, hi, max<u32>(pos, 1), pos + m)) return findAll(n, candidates, false);
    if (pos + m < most) {
      for (let t = spans; t < s; t += spanBytes) {
        const link = load<u32>(links + (load<u32>(t, 8) << 2));
        if (!link) continue;
        const at = reach + ((link - 1) >>> 2) * 12;
        if (load<u32>(at) > pos + m) store<u32>(at, pos + m);
      }
      most = pos + m;
    }
    if (!pos && count >= leastSpans && count * 4 >= candidates) keepRow(run, m, most, candidates);
    pos += m;
    if (most < pos || pos == n) return;
    run = goOn(run, hashAt(lo, hi, pos));
  }
}

/** Where the farthest of the candidates' spans that hang together from `most` on ends, a prompt of all its blocks given. */
function farthest(spans: usize, end: usize, pos: u32, most: u32): u32 {
  for (let s = spans; s < end; s += spanBytes) {
    if (load<u32>(s) + pos > most) break;
    if (load<u32>(links + (load<u32>(s, 8) << 2))) most = max(most, load<u32>(s, 4) + pos);
  }
  return most;
}

/** As `find`, for candidates with several tiers. */
export function findTiers(n: u32, candidates: u32): void {
  memory.fill(joined, 0, candidates * 20);
  walked = 0;
  const lo = input;
  const hi = input + (n << 2);
  let run = n ? rootOf(lo, hi) : 0;
  clock += 1;
  let pos: u32 = 0;
  let most: u32 = 0;
  while (run) {
    touchNext(run);
    store<u32>(run, clock, rUse);
    walked += 1;
    let s: usize = load<u32>(run, rSpans);
    const end = s + load<u32>(run, rCount) * spanBytes;
    const asked = min(min(load<u32>(run, rLen), n - pos), farthest(s, end, pos, most) + 1 - pos);
    const m = matched(load<u32>(run, rBase), lo + (pos << 2), hi + (pos << 2), asked);
    if (suspects && hasSuspect(lo, hi, max<u32>(pos, 1), pos + m)) return findAll(n, candidates, true);
    for (; s < end; s += spanBytes) {
      const from = load<u32>(s) + pos;
      if (from > most) break;
      most = max(most, credit(from, min(load<u32>(s, 4), m) + pos, load<u32>(s, 8)));
    }
    pos += m;
    if (most < pos || pos == n) break;
    run = goOn(run, hashAt(lo, hi, pos));
  }
  writeTiers(candidates);
}

/** Blocks `from` to `to` count for whom the owner counts for; returns the farthest reach. Spans come by their first block. */
function credit(from: u32, to: u32, slot: u32): u32 {
  const link = load<u32>(links + (slot << 2));
  if (!link) return 0;
  if (!(link >>> 31)) return creditOne(from, to, link);
  let at = lists + (((link & 0x7fffffff)) << 2);
  const end = at + (load<u32>(at) << 2);
  let most: u32 = 0;
  while (at < end) {
    at += 4;
    most = max(most, creditOne(from, to, load<u32>(at)));
  }
  return most;
}

function creditOne(from: u32, to: u32, link: u32): u32 {
  const c = joined + ((link - 1) >>> 2) * 20;
  const tier = (link - 1) & 3;
  const reach = load<u32>(c);
  if (from > reach || to <= from) return reach;
  store<u32>(c, max(reach, to));
  if (tier == 0) {
    const start = max(from, load<u32>(c, 4));
    if (to > start) {
      store<u32>(c, to, 4);
      store<u32>(c, load<u32>(c, 8) + (to - start), 8);
    }
  }
  if (tier <= 1) {
    const start = max(from, load<u32>(c, 12));
    if (to > start) {
      store<u32>(c, to, 12);
      store<u32>(c, load<u32>(c, 16) + (to - start), 16);
    }
  }
  return max(reach, to);
}

function writeTiers(candidates: u32): void {
  for (let j: u32 = 0; j < candidates; j++) {
    const c = joined + j * 20;
    const o = out + j * 12;
    const device = load<u32>(c, 8);
    const below = load<u32>(c, 16);
    store<u32>(o, device);
    store<u32>(o, below - device, 4);
    store<u32>(o, load<u32>(c) - below, 8);
  }
}

/** The slow way, where blocks may stand in several runs: all spans of all runs along the list, put in order first. */
function findAll(n: u32, candidates: u32, tiered: bool): void {
  const lo = input;
  const hi = input + (n << 2);
  memory.fill(joined, 0, candidates * 20);
  let count: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const run = probe(hashAt(lo, hi, i));
    if (run) count += load<u32>(run, rCount);
  }
  if (count) {
    const list = alloc(count * 12);
    // Without memory for it nothing is credited: less than the truth, never more.
    if (list) {
      gather(list, n);
      sortSpans(list, count);
      for (let i: u32 = 0; i < count; i++) {
        const at = list + i * 12;
        credit(load<u32>(at), load<u32>(at, 4), load<u32>(at, 8));
      }
      free(list);
    }
  }
  if (tiered) writeTiers(candidates);
  else {
    for (let j: u32 = 0; j < candidates; j++) store<u32>(out + j * 12, load<u32>(joined + j * 20));
  }
}

function gather(list: usize, n: u32): void {
  const lo = input;
  const hi = input + (n << 2);
  let at = list;
  for (let i: u32 = 0; i < n; i++) {
    const run = probe(hashAt(lo, hi, i));
    if (!run) continue;
    store<u32>(run, clock, rUse);
    const m = matched(load<u32>(run, rBase), lo + (i << 2), hi + (i << 2), min(load<u32>(run, rLen), n - i));
    let s: usize = load<u32>(run, rSpans);
    const end = s + load<u32>(run, rCount) * spanBytes;
    for (; s < end; s += spanBytes) {
      store<u32>(at, load<u32>(s) + i);
      store<u32>(at, min(load<u32>(s, 4), m) + i, 4);
      store<u32>(at, load<u32>(s, 8), 8);
      at += 12;
    }
  }
}

/** Heap sort by the first word of 12-byte entries. */
function sortSpans(list: usize, count: u32): void {
  for (let i = <i32>(count >>> 1) - 1; i >= 0; i--) sink(list, <u32>i, count);
  for (let end = count - 1; end > 0; end--) {
    swap(list, list + end * 12);
    sink(list, 0, end);
  }
}

function sink(list: usize, start: u32, count: u32): void {
  let i = start;
  for (;;) {
    let child = i * 2 + 1;
    if (child >= count) return;
    if (child + 1 < count && load<u32>(list + (child + 1) * 12) > load<u32>(list + child * 12)) child += 1;
    if (load<u32>(list + i * 12) >= load<u32>(list + child * 12)) return;
    swap(list + i * 12, list + child * 12);
    i = child;
  }
}

function swap(a: usize, b: usize): void {
  const x = load<u64>(a);
  const y = load<u32>(a, 8);
  store<u64>(a, load<u64>(b));
  store<u32>(a, load<u32>(b, 8), 8);
  store<u64>(b, x);
  store<u32>(b, y, 8);
}

/** Writes a byte per block of the list at `input`, behind it: 1 where the owner holds it. */
export function holds(slot: u32, n: u32): usize {
  const lo = input;
  const hi = input + (n << 2);
  const marks = input + (n << 3);
  memory.fill(marks, 0, n);
  for (let i: u32 = 0; i < n; i++) {
    const run = probe(hashAt(lo, hi, i));
    if (!run) continue;
    const m = matched(load<u32>(run, rBase), lo + (i << 2), hi + (i << 2), min(load<u32>(run, rLen), n - i));
    let s: usize = load<u32>(run, rSpans);
    const end = s + load<u32>(run, rCount) * spanBytes;
    for (; s < end; s += spanBytes) {
      if (load<u32>(s, 8) != slot) continue;
      const from = load<u32>(s);
      const to = min(load<u32>(s, 4), m);
      if (to > from) memory.fill(marks + i + from, 1, to - from);
    }
  }
  return marks;
}
