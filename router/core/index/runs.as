// Runs: the edges of the tree. A run is a stretch of one path, its hashes (u64, low half first) in one piece of memory,
// and who holds which part of it: spans, ordered by their first block.
//
// Record of a run, at its address:
const rBase: usize = 0; // its hashes: behind the record, until they outgrow that
const rLen: usize = 4; // in blocks, at least 1
const rSpans: usize = 8; // its spans
const rCount: usize = 12; // how many
const rHead: usize = 16; // its first hash
const rUse: usize = 24; // clock of the last walk over it
const rDepth: usize = 72; // blocks before it, as far as known
const rParent: usize = 32; // the run it goes on from, or 0
const rAttach: usize = 36; // after which block of it
const rChild: usize = 40; // first of those that go on from it
const rNext: usize = 44; // siblings
const rPrev: usize = 48;
const rFlags: usize = 52; // bit 0: suspect; above it: no run goes on from this block or a later one
const rOwn: usize = 56; // room for one span: a run with one holder has it here
const rGuess: usize = 28; // the one of those that go on from it that a walk last took, or 0
const rRow: usize = 76; // its row in `rows`, or 0
const runBytes: u32 = 80;

/** Set where the run hangs in the air: its first block may stand inside another run too. */
const suspect: u32 = 1;

// Rows: what `find` found on a run that a prompt begins with, for the candidates of that time, so that the spans of a
// prefix that all share are not walked by every query. A row is good until the run's spans or the candidates change.
//
// Record of a row, before a copy of `out`:
const wRun: usize = 0; // whose it is, or 0
const wMatched: usize = 4; // how many of its blocks the prompt had
const wMost: usize = 8; // the farthest reach
const rowHead: u32 = 12;
const mostRows: u32 = 64;
/** Fewer spans are walked as fast. */
const leastSpans: u32 = 4;

export let rows: usize = 0;
/** Bytes of a row; 0 while there is no room for any. */
export let rowBytes: u32 = 0;
/** Where the next row is made. */
let nextRow: u32 = 0;

/** The spans of the run change: its row is no longer true. */
@inline function fade(run: usize): void {
  if (load<u32>(run, rCount) < leastSpans) return;
  const row: usize = load<u32>(run, rRow);
  if (!row) return;
  store<u32>(row, 0, wRun);
  store<u32>(run, 0, rRow);
}

/** No row is true any more. */
function fadeAll(): void {
  for (let i: u32 = 0; i < mostRows && rowBytes; i++) {
    const row = rows + i * rowBytes;
    const run: usize = load<u32>(row, wRun);
    if (run) store<u32>(run, 0, rRow);
    store<u32>(row, 0, wRun);
  }
}

/** Longest run, in blocks: bounds what an append copies. */
const mostRun: u32 = 2048;

// Span: u32 first block, u32 block after the last, u32 owner, u32 number of the first block.
const spanBytes: u32 = 16;

// Heads: open addressing from the hash of a run's first block; u32 its mix, which says its home without a look at the run,
// u32 run, 0 for none.
export let heads: usize = 0;
let headShift: u32 = 0;
export let headMask: u32 = 0;
export let runCount: u32 = 0;
/** Ticks with every query and every stored stretch. */
let clock: u32 = 0;

// Suspects: a bit per head of a suspect run (and of some that are none any more), so that a walk notices them.
let filter: usize = 0;
let filterShift: u32 = 0;
export let suspects: u32 = 0;
let filterDead: u32 = 0;

@inline function mix(hash: u64): u32 {
  return <u32>((hash * 0x9e3779b97f4a7c15) >>> 32);
}

function openRuns(): void {
  headShift = 32 - 8;
  headMask = 255;
  heads = alloc(256 << 3);
  memory.fill(heads, 0, 256 << 3);
  filterShift = 32 - 13;
  filter = alloc(1024);
  memory.fill(filter, 0, 1024);
}

@inline function headHash(run: usize): u64 { return load<u64>(run, rHead); }

/** The run that begins with `hash`, or 0. */
@inline function probe(hash: u64): usize {
  const tag = mix(hash);
  let i = tag >>> headShift;
  while (true) {
    const at = heads + (i << 3);
    const run = load<u32>(at, 4);
    if (!run) return 0;
    if (load<u32>(at) == tag && headHash(run) == hash) return run;
    i = (i + 1) & headMask;
  }
}

/** Makes room for one more head; false where the heap has none. */
function ensureHeads(): bool {
  if ((runCount + 1) * 3 <= headMask * 2) return true;
  const cells = (headMask + 1) << 1;
  const moved = alloc(cells << 3);
  if (!moved) return runCount + 1 < headMask;
  memory.fill(moved, 0, cells << 3);
  const old = heads;
  const end = heads + ((<usize>headMask + 1) << 3);
  heads = moved;
  headMask = cells - 1;
  headShift -= 1;
  for (let at = old; at < end; at += 8) {
    const run = load<u32>(at, 4);
    if (run) putHead(run, load<u32>(at));
  }
  free(old);
  return true;
}

function putHead(run: usize, tag: u32): void {
  let i = tag >>> headShift;
  while (load<u32>(heads + (i << 3), 4)) i = (i + 1) & headMask;
  store<u32>(heads + (i << 3), tag);
  store<u32>(heads + (i << 3), <u32>run, 4);
}

function dropHead(run: usize): void {
  let i = mix(headHash(run)) >>> headShift;
  while (load<u32>(heads + (i << 3), 4) != <u32>run) i = (i + 1) & headMask;
  // Backward shift: what lies behind and may stand here moves here.
  let j = i;
  for (;;) {
    j = (j + 1) & headMask;
    if (!load<u32>(heads + (j << 3), 4)) break;
    const home = load<u32>(heads + (j << 3)) >>> headShift;
    if (((j - home) & headMask) < ((j - i) & headMask)) continue;
    store<u64>(heads + (i << 3), load<u64>(heads + (j << 3)));
    i = j;
  }
  store<u64>(heads + (i << 3), 0);
}

@inline function filterAt(hash: u64): u32 { return (mix(hash) * 0x85ebca6b) >>> filterShift; }

@inline function maybeSuspect(hash: u64): bool {
  const bit = filterAt(hash);
  return ((load<u8>(filter + (bit >>> 3)) >>> (bit & 7)) & 1) != 0;
}

function markFilter(hash: u64): void {
  const bit = filterAt(hash);
  const at = filter + (bit >>> 3);
  store<u8>(at, <u8>(<u32>load<u8>(at) | (<u32>1 << (bit & 7))));
}

/** Marks all suspects anew, in a filter of `32 - shift` address bits. */
function rebuildFilter(shift: u32): void {
  if (shift != filterShift) {
    const moved = alloc(1 << (29 - shift));
    if (!moved) return;
    free(filter);
    filter = moved;
    filterShift = shift;
  }
  memory.fill(filter, 0, 1 << (29 - filterShift));
  filterDead = 0;
  for (let i: u32 = 0; i <= headMask; i++) {
    const run: usize = load<u32>(heads + (i << 3), 4);
    if (run && (load<u32>(run, rFlags) & suspect)) markFilter(headHash(run));
  }
}

function setSuspect(run: usize): void {
  store<u32>(run, load<u32>(run, rFlags) | suspect, rFlags);
  suspects += 1;
  markFilter(headHash(run));
  if ((<u64>suspects << 6) > (<u64>1 << (32 - filterShift)) && filterShift > 8) {
    rebuildFilter(filterShift - 2);
  }
}

function clearSuspect(run: usize): void {
  if (!(load<u32>(run, rFlags) & suspect)) return;
  store<u32>(run, load<u32>(run, rFlags) ^ suspect, rFlags);
  suspects -= 1;
  filterDead += 1;
  if (filterDead > max<u32>(64, suspects) && (filterDead << 3) > runCount && suspects > 0) {
    rebuildFilter(filterShift);
  }
}

/**
 * A run of the `count` blocks at `from` (12 bytes each, the hash at byte 4), behind block `attach` of `parent`, without
 * spans; 0 where the heap has no room.
 */
function newRun(parent: usize, attach: u32, from: usize, count: u32): usize {
  if (!ensureHeads()) return 0;
  const run = alloc(runBytes + (count << 3));
  if (!run) return 0;
  const base = run + runBytes;
  copyHashes(base, from, count);
  store<u32>(run, <u32>base, rBase);
  store<u32>(run, count, rLen);
  store<u64>(run, load<u64>(base), rHead);
  store<u32>(run, <u32>(run + rOwn), rSpans);
  store<u32>(run, 0, rCount);
  store<u32>(run, clock, rUse);
  store<u32>(run, 0, rDepth);
  store<u32>(run, <u32>parent, rParent);
  store<u32>(run, attach, rAttach);
  store<u32>(run, 0, rChild);
  store<u32>(run, 0, rNext);
  store<u32>(run, 0, rPrev);
  store<u32>(run, 0, rFlags);
  store<u32>(run, 0, rGuess);
  store<u32>(run, 0, rRow);
  if (parent) {
    const sibling = load<u32>(parent, rChild);
    store<u32>(run, sibling, rNext);
    if (sibling) store<u32>(sibling, <u32>run, rPrev);
    store<u32>(parent, <u32>run, rChild);
    const flags = load<u32>(parent, rFlags);
    if (flags >>> 1 <= attach) store<u32>(parent, (attach + 1) << 1 | flags & suspect, rFlags);
    store<u32>(run, load<u32>(parent, rDepth) + attach + 1, rDepth);
  }
  runCount += 1;
  putHead(run, mix(headHash(run)));
  if (!parent) setSuspect(run);
  return run;
}

@inline function copyHashes(to: usize, from: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u64>(to + (i << 3), load<u64>(from + i * 12, 4));
}

/** Room for the hashes of so many blocks; false, with what is there as it was, where the heap has none. */
function ensureHashes(run: usize, blocks: u32): bool {
  const base: usize = load<u32>(run, rBase);
  const kept = load<u32>(run, rLen) << 3;
  let moved: usize = base;
  if (base != run + runBytes) moved = resize(base, kept, blocks << 3);
  else if (!widen(run, runBytes + (blocks << 3))) {
    moved = alloc(blocks << 3);
    if (moved) {
      memory.copy(moved, base, kept);
      cut(run, runBytes);
    }
  }
  if (!moved) return false;
  store<u32>(run, <u32>moved, rBase);
  return true;
}

/** Gives back what lies behind the hashes, where that is worth it. */
function cutHashes(run: usize): void {
  const base: usize = load<u32>(run, rBase);
  const size = load<u32>(run, rLen) << 3;
  const isInside = base == run + runBytes;
  const has = isInside ? sizeOf(run) - runBytes : sizeOf(base);
  if (has >= size + 64) cut(isInside ? run : base, isInside ? runBytes + size : size);
}

/** Adds `count` blocks to the end of a run; false where the heap has no room. */
function extend(run: usize, from: usize, count: u32): bool {
  const len = load<u32>(run, rLen);
  const base: usize = load<u32>(run, rBase);
  const has = (base == run + runBytes ? sizeOf(run) - runBytes : sizeOf(base)) >>> 3;
  // Blocks that come one by one, as they are decoded, move the run every eighth time.
  if (has < len + count && !ensureHashes(run, len + count + (count < 8 ? 8 : 0))) return false;
  copyHashes(<usize>load<u32>(run, rBase) + (len << 3), from, count);
  store<u32>(run, len + count, rLen);
  return true;
}

function unhook(run: usize): void {
  const parent = load<u32>(run, rParent);
  if (!parent) return;
  const next = load<u32>(run, rNext);
  const prev = load<u32>(run, rPrev);
  if (next) store<u32>(next, prev, rPrev);
  if (prev) store<u32>(prev, next, rNext);
  else store<u32>(parent, next, rChild);
  if (load<u32>(parent, rGuess) == <u32>run) store<u32>(parent, 0, rGuess);
  store<u32>(run, 0, rParent);
  store<u32>(run, 0, rNext);
  store<u32>(run, 0, rPrev);
}

/** Runs that go on from block `from` of the run or a later one hang in the air from now on. */
function orphan(run: usize, from: u32): void {
  const flags = load<u32>(run, rFlags);
  if (flags >>> 1 <= from) return;
  store<u32>(run, from << 1 | flags & suspect, rFlags);
  let child: usize = load<u32>(run, rChild);
  while (child) {
    const next = load<u32>(child, rNext);
    if (load<u32>(child, rAttach) >= from) {
      unhook(child);
      setSuspect(child);
    }
    child = next;
  }
}

/** Forgets a run without spans. */
function freeRun(run: usize): void {
  fade(run);
  orphan(run, 0);
  unhook(run);
  clearSuspect(run);
  dropHead(run);
  runCount -= 1;
  freeRecord(run);
}

/** Frees what a run that nobody knows any more takes. */
function freeRecord(run: usize): void {
  if (load<u32>(run, rBase) != <u32>(run + runBytes)) free(load<u32>(run, rBase));
  if (load<u32>(run, rSpans) != <u32>(run + rOwn)) free(load<u32>(run, rSpans));
  free(run);
}

/** Gives up blocks at the end that nobody holds. */
function trim(run: usize): void {
  const spans: usize = load<u32>(run, rSpans);
  const end = spans + load<u32>(run, rCount) * spanBytes;
  const had = load<u32>(run, rLen);
  let len: u32 = 0;
  for (let s = spans; s < end; s += spanBytes) {
    const to = load<u32>(s, 4);
    if (to == had) return;
    len = max<u32>(len, to);
  }
  store<u32>(run, len, rLen);
  orphan(run, len);
  cutHashes(run);
}
