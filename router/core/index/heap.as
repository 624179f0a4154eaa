// The heap of the index: two-level segregated fit (Masmano, Ripoll, Crespo, Real: "TLSF", ECRTS 2004). Every operation
// is O(1), neighbours coalesce, and memory grows only through `reserve`, which asks the budget.
//
// A block is known by the address of its payload p: u32 at p-8 size of the payload, a multiple of 8, its bit 0 set
// where the block is free; u32 at p-4 the block before in memory, 0 for the first. A free block keeps its list in its
// first 8 bytes. The last block is a sentinel of size 0.

const slMaps: usize = 64; // per first level, a bit per second level with free blocks
const freeLists: usize = 256; // 26 first levels of 16 lists
const heapStart: usize = 2048;
const levels: u32 = 26;

let flMap: u32 = 0;
/** Bytes of free payloads. */
export let freeBytes: u32 = 0;

@inline function sizeOf(p: usize): u32 { return load<u32>(p - 8) & ~7; }
@inline function isFree(p: usize): bool { return (load<u32>(p - 8) & 1) != 0; }
@inline function nextOf(p: usize): usize { return p + sizeOf(p) + 8; }

@inline function listOf(size: u32): u32 {
  if (size < 128) return size >>> 3;
  const top: u32 = 31 - clz(size);
  return ((top - 6) << 4) | ((size >>> (top - 4)) & 15);
}

function link(p: usize): void {
  const size = sizeOf(p);
  const list = listOf(size);
  const head = freeLists + (list << 2);
  const next = load<u32>(head);
  store<u32>(p, next);
  store<u32>(p, 0, 4);
  if (next) store<u32>(next, <u32>p, 4);
  store<u32>(head, <u32>p);
  const fl = list >>> 4;
  flMap |= 1 << fl;
  store<u32>(slMaps + (fl << 2), load<u32>(slMaps + (fl << 2)) | (1 << (list & 15)));
  store<u32>(p - 8, size | 1);
  freeBytes += size;
}

function unlink(p: usize): void {
  const size = sizeOf(p);
  const list = listOf(size);
  const next = load<u32>(p);
  const before = load<u32>(p, 4);
  if (next) store<u32>(next, before, 4);
  if (before) store<u32>(before, next);
  else {
    store<u32>(freeLists + (list << 2), next);
    if (!next) {
      const fl = list >>> 4;
      const map = load<u32>(slMaps + (fl << 2)) & ~(1 << (list & 15));
      store<u32>(slMaps + (fl << 2), map);
      if (!map) flMap &= ~(1 << fl);
    }
  }
  store<u32>(p - 8, size);
  freeBytes -= size;
}

/** A free block that surely holds `size`, or 0. */
function findFree(size: u32): usize {
  let want = size;
  if (want >= 128) want += (1 << (27 - clz(want))) - 1;
  const list = listOf(want);
  let fl = list >>> 4;
  if (fl >= levels) return 0;
  let map = load<u32>(slMaps + (fl << 2)) & (~0 << (list & 15));
  if (!map) {
    const above = flMap & (~0 << (fl + 1));
    if (!above) return 0;
    fl = ctz(above);
    map = load<u32>(slMaps + (fl << 2));
  }
  return load<u32>(freeLists + (((fl << 4) | ctz(map)) << 2));
}

/** Cuts the block to `size` and frees the rest, where that is worth a block. */
function cut(p: usize, size: u32): void {
  const left = sizeOf(p) - size;
  if (left < 16) return;
  store<u32>(p - 8, size);
  const rest = p + size + 8;
  store<u32>(rest - 8, left - 8);
  store<u32>(rest - 4, <u32>p);
  store<u32>(nextOf(rest) - 4, <u32>rest);
  free(rest);
}

@inline function rounded(size: u32): u32 { return max<u32>(8, (size + 7) & ~7); }

/** `size` bytes, not zeroed; 0 where the heap has no block for them. */
function alloc(size: u32): usize {
  const need = rounded(size);
  const p = findFree(need);
  if (!p) return 0;
  unlink(p);
  cut(p, need);
  return p;
}

function free(p: usize): void {
  const next = nextOf(p);
  if (isFree(next)) {
    unlink(next);
    store<u32>(p - 8, sizeOf(p) + sizeOf(next) + 8);
    store<u32>(nextOf(p) - 4, <u32>p);
  }
  const before = load<u32>(p - 4);
  if (before && isFree(before)) {
    unlink(before);
    store<u32>(before - 8, sizeOf(before) + sizeOf(p) + 8);
    store<u32>(nextOf(before) - 4, before);
    link(before);
  } else link(p);
}

/** Gives the block room for `size` where it lies; false where its neighbour is not free, or too small. */
function widen(p: usize, size: u32): bool {
  const need = rounded(size);
  const has = sizeOf(p);
  if (need <= has) return true;
  const next = nextOf(p);
  if (!isFree(next) || has + 8 + sizeOf(next) < need) return false;
  unlink(next);
  store<u32>(p - 8, has + 8 + sizeOf(next));
  store<u32>(nextOf(p) - 4, <u32>p);
  cut(p, need);
  return true;
}

/** The block with room for `size` and its first `kept` bytes, moved where it must; 0, and p as it was, where there is no room. */
function resize(p: usize, kept: u32, size: u32): usize {
  const need = rounded(size);
  const has = sizeOf(p);
  if (need <= has) {
    cut(p, need);
    return p;
  }
  if (widen(p, need)) return p;
  const moved = alloc(need);
  if (!moved) return 0;
  memory.copy(moved, p, kept);
  free(p);
  return moved;
}

/** Grows the memory by at least `bytes`, or returns false where the budget says no. */
@external("env", "grow")
declare function growMemory(wantedPages: u32, neededPages: u32): u32;

let heapEnd: usize = 0;

function openHeap(): void {
  heapEnd = <usize>memory.size() << 16;
  const first = heapStart + 8;
  store<u32>(first - 8, <u32>(heapEnd - 8 - first));
  store<u32>(first - 4, 0);
  store<u32>(heapEnd - 8, 0);
  store<u32>(heapEnd - 4, <u32>first);
  link(first);
}

function grow(bytes: u32): bool {
  const needed = (bytes + 16 + 0xffff) >>> 16;
  const wanted = max<u32>(needed, <u32>(heapEnd >>> 20) + 1);
  const got = growMemory(wanted, needed);
  if (got < needed) return false;
  const start = heapEnd; // payload of the old sentinel
  heapEnd += <usize>got << 16;
  store<u32>(start - 8, <u32>(heapEnd - 8 - start));
  store<u32>(heapEnd - 8, 0);
  store<u32>(heapEnd - 4, <u32>start);
  free(start);
  return true;
}

/** Sees to it that one free block holds `bytes`: grows, then evicts. False where neither helps. Moves and frees runs. */
function reserve(bytes: u32): bool {
  while (!findFree(rounded(bytes))) {
    // A block found by size class may be up to a sixteenth larger than asked for.
    if (grow(bytes + (bytes >>> 4) + 64)) continue;
    if (!evictOne()) return false;
  }
  return true;
}
