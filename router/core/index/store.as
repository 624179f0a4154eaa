// Events: what an owner stored and removed, read where they lie in a message.

/** Longest stretch that is stored at a time. */
const mostPiece: u32 = 1024;
/** Kept free before a stretch is stored: a longest run moved, new spans and pages. */
const pieceRoom: u32 = 28 * 1024;

const opStored: u32 = 1;
const opRemoved: u32 = 2;
const opCleared: u32 = 3;

/** What the last `apply` found: removals of unknown numbers, numbers stored twice. */
let anomalies: u32 = 0;

/** Where messages are put by the caller, and how much fits. */
export let input: usize = 0;
export let inputBytes: u32 = 0;

/** The place for `bytes` of input; 0 where the heap has no room. What lies there is lost. */
export function ensureInput(bytes: u32): usize {
  if (bytes <= inputBytes) return input;
  if (!reserve(bytes + (bytes >>> 1))) return 0;
  const moved = alloc(bytes + (bytes >>> 2));
  if (!moved) return 0;
  free(input);
  input = moved;
  inputBytes = sizeOf(moved);
  return moved;
}

/** Sets up an empty index in a fresh memory. */
export function open(): void {
  openHeap();
  openRuns();
  inputBytes = 8192;
  input = alloc(inputBytes);
  openOwner(15);
  store<u32>(ownerAt(15), 0, oOpen);
}

/**
 * Applies `ops` events at `start`, as a KV event message holds them, to the end. Bits 0 and 1: 0 done, 1 no room: a part is
 * applied, 2 not what an event is: nothing is applied; above them the anomalies. `ops` 65,535 means as many as there are.
 */
export function apply(slot: u32, start: usize, bytes: u32, ops: u32): u32 {
  anomalies = 0;
  const result = applyAll(slot, start, bytes, ops);
  told();
  return result | min(anomalies, 0xffffff) << 2;
}

/** Tells the caller of counts at fixed places of the memory, which it reads faster than variables. */
export function told(): void {
  store<u32>(0, total);
  store<u32>(4, evicted);
}

function applyAll(slot: u32, start: usize, bytes: u32, ops: u32): u32 {
  const end = start + bytes;
  let seen: u32 = 0;
  for (let at = start; at < end || seen < ops;) {
    if (seen == ops && ops != 65535) return 2;
    if (at == end && ops == 65535) break;
    if (end - at < 8) return 2;
    const op = load<u32>(at) & 255;
    const count = load<u32>(at, 4);
    const left = <u32>(end - at);
    if (op == opStored) {
      if (left < 12 || count > (left - 12) / 12) return 2;
      at += 12 + count * 12;
    } else if (op == opRemoved) {
      if (count > (left - 8) >>> 2) return 2;
      at += 8 + (count << 2);
    } else if (op != opCleared || count) return 2;
    else at += 8;
    seen += 1;
  }
  for (let at = start; at < end;) {
    const op = load<u32>(at) & 255;
    const count = load<u32>(at, 4);
    if (op == opStored) {
      if (!stored(slot, load<u32>(at, 8), at + 12, count)) return 1;
      at += 12 + count * 12;
    } else if (op == opRemoved) {
      removed(slot, at + 8, count);
      at += 8 + (count << 2);
    } else {
      clearOwner(slot);
      at += 8;
    }
  }
  return 0;
}

/** A run's numbers in stretches of consecutive ones; false where there is no room. */
function stored(slot: u32, parent: u32, at: usize, count: u32): bool {
  let before = parent;
  let i: u32 = 0;
  while (i < count) {
    const p = at + i * 12;
    const first = load<u32>(p);
    const most = min(count - i, mostPiece);
    let k: u32 = 1;
    while (k < most && load<u32>(p + k * 12) == first + k) k++;
    if (first + (k - 1) < first) k = 1;
    if (!storeStretch(slot, before, p, k)) return false;
    before = first + k - 1;
    i += k;
  }
  return true;
}

function storeStretch(slot: u32, parent: u32, p: usize, count: u32): bool {
  const first = load<u32>(p);
  const last = first + count - 1;
  // A number stored twice: the later word counts.
  if (first <= load<u32>(ownerAt(slot), oMost)) anomalies += forget(slot, first, count);
  if (last > load<u32>(ownerAt(slot), oMost)) store<u32>(ownerAt(slot), last, oMost);
  clock += 1;
  let done: u32 = 0;
  let room = pieceRoom;
  while (done < count) {
    if (!reserve(room)) return false;
    const more = storeSome(slot, done ? first + done - 1 : parent, p + done * 12, count - done);
    done += more;
    // The estimate was too small: once more with a larger one.
    if (!more) {
      if (room > 1 << 26) return false;
      room <<= 1;
    }
  }
  return true;
}

/** Stores blocks behind `parent` as far as the heap has room; returns how many. */
function storeSome(slot: u32, parent: u32, p: usize, count: u32): u32 {
  const first = load<u32>(p);
  let run: usize = 0;
  let off: u32 = 0;
  let hint: usize = 0;
  if (parent) {
    hint = lookup(slot, parent);
    if (hint) {
      run = foundRun;
      off = load<u32>(hint) + (parent - load<u32>(hint, 12)) + 1;
    }
  }
  let j: u32 = 0;
  while (j < count) {
    if (run) {
      const base: usize = load<u32>(run, rBase);
      const most = min(load<u32>(run, rLen) - off, count - j);
      let m: u32 = 0;
      while (m < most && load<u64>(base + ((off + m) << 3)) == load<u64>(p + (j + m) * 12, 4)) m++;
      if (m) {
        if (!addSpan(run, off, off + m, slot, first + j, hint)) return j;
        store<u32>(run, clock, rUse);
        hint = 0;
        off += m;
        j += m;
        if (j == count) return j;
      }
    }
    const next = probe(load<u64>(p + j * 12, 4));
    if (next) {
      run = next;
      off = 0;
      hint = 0;
      continue;
    }
    let m = freshBlocks(p + j * 12, count - j);
    if (run && off == load<u32>(run, rLen) && off < mostRun) {
      m = min(m, mostRun - off);
      if (!extend(run, p + j * 12, m)) return j;
      if (!addSpan(run, off, off + m, slot, first + j, hint)) {
        trim(run);
        return j;
      }
      store<u32>(run, clock, rUse);
      off += m;
    } else {
      run = newRun(run, off - 1, p + j * 12, m);
      if (!run) return j;
      if (!addSpan(run, 0, m, slot, first + j, 0)) {
        freeRun(run);
        return j;
      }
      off = m;
    }
    hint = 0;
    j += m;
  }
  return j;
}

/** How many blocks from here are in no run, so far as a walk can know: up to one that heads a suspect run. */
function freshBlocks(p: usize, count: u32): u32 {
  if (!suspects) return count;
  for (let i: u32 = 1; i < count; i++) {
    const hash = load<u64>(p + i * 12, 4);
    if (maybeSuspect(hash) && probe(hash)) return i;
  }
  return count;
}

/** Removes one copy per number. */
function removed(slot: u32, at: usize, count: u32): void {
  let i: u32 = 0;
  while (i < count) {
    const n = load<u32>(at + (i << 2));
    const s = lookup(slot, n);
    if (!s) {
      unknown(slot);
      i += 1;
      continue;
    }
    const from = load<u32>(s);
    const first = load<u32>(s, 12);
    const size = load<u32>(s, 4) - from;
    const place = n - first;
    let k: u32 = 1;
    let low = place;
    if (i + 1 < count && load<u32>(at + (i << 2), 4) == n - 1) {
      while (k <= place && i + k < count && load<u32>(at + ((i + k) << 2)) == n - k) k++;
      low = place + 1 - k;
    } else {
      while (place + k < size && i + k < count && load<u32>(at + ((i + k) << 2)) == n + k) k++;
    }
    cutSpan(foundRun, s, from + low, from + low + k);
    i += k;
  }
}

/** The removal of a number that is not known: of a block evicted here, or a contradiction. */
function unknown(slot: u32): void {
  const o = ownerAt(slot);
  const gone = load<u32>(o, oEvicted);
  if (gone) store<u32>(o, gone - 1, oEvicted);
  else anomalies += 1;
}

/** Forgets the numbers from `first` on that are known; returns how many were. */
function forget(slot: u32, first: u32, count: u32): u32 {
  let known: u32 = 0;
  let i: u32 = 0;
  while (i < count) {
    const s = lookup(slot, first + i);
    if (!s) {
      i += 1;
      continue;
    }
    const from = load<u32>(s);
    const place = first + i - load<u32>(s, 12);
    const k = min(load<u32>(s, 4) - from - place, count - i);
    cutSpan(foundRun, s, from + place, from + place + k);
    known += k;
    i += k;
  }
  return known;
}

/** Where among the heads the eviction stands. */
let hand: u32 = 0;

/** Forgets the coldest of some leaves: runs that no other goes on from. False where there is none. */
function evictOne(): bool {
  if (!runCount) return false;
  let best: usize = 0;
  let bestAge: u32 = 0;
  let looked: u32 = 0;
  for (let i: u32 = 0; i <= headMask && looked < 16; i++) {
    hand = (hand + 1) & headMask;
    const run: usize = load<u32>(heads + (hand << 3), 4);
    if (!run || load<u32>(run, rChild)) continue;
    looked += 1;
    const age = clock - load<u32>(run, rUse);
    const isColder = !best || age > bestAge ||
      (age == bestAge && load<u32>(run, rDepth) > load<u32>(best, rDepth));
    if (!isColder) continue;
    best = run;
    bestAge = age;
  }
  if (!best) return false;
  evict(best);
  return true;
}

function evict(run: usize): void {
  let s: usize = load<u32>(run, rSpans);
  const end = s + load<u32>(run, rCount) * spanBytes;
  for (; s < end; s += spanBytes) {
    const slot = load<u32>(s, 8);
    const o = ownerAt(slot);
    const count = load<u32>(s, 4) - load<u32>(s);
    const first = load<u32>(s, 12);
    const lastPage = (first + count - 1) >>> pageShift;
    for (let page = first >>> pageShift; page <= lastPage; page++) dropPage(o, page, run);
    store<u32>(o, load<u32>(o, oBlocks) - count, oBlocks);
    store<u32>(o, load<u32>(o, oEvicted) + count, oEvicted);
    total -= count;
    evicted += count;
  }
  freeRun(run);
}
