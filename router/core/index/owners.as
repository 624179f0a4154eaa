// Owners: which run holds which of an owner's numbers. Numbers are looked up by pages of 128: a page names every run
// with a span of the owner that has a number in it.
//
// Record of an owner:
const oPages: usize = 0; // open addressing: u32 page + 1, u32 run, u32 see below; 0 for none
const oShift: usize = 4;
const oUsed: usize = 8;
const oBlocks: usize = 12; // block copies held
const oEvicted: usize = 16; // copies that were evicted and whose removal was not heard of
const oMost: usize = 20; // highest number stored since it was empty
const oOpen: usize = 24;
const ownerBytes: u32 = 32;
const pageShift: u32 = 7;
const entryBytes: u32 = 12;

// Third word of a page's entry: bits 0 to 6 the lowest and 7 to 13 the highest number of the page that the run may have,
// so that a look-up passes by runs that lie elsewhere in memory; above them where among its spans it was found last.
const rangeBits: u32 = 14;
const mostPlace: u32 = 0x3ffff;

export let owners: usize = 0;
export let ownerCap: u32 = 0;
/** Block copies of all owners. */
export let total: u32 = 0;
/** Copies evicted since the start, from 0 again after 2^32. */
let evicted: u32 = 0;
/** Where an owner counts, per slot: see query. */
export let links: usize = 0;

@inline function ownerAt(slot: u32): usize { return owners + slot * ownerBytes; }

/** Opens a slot; false where the heap has no room. */
export function openOwner(slot: u32): bool {
  if (slot >= ownerCap) {
    const cap = max<u32>(slot + 1, ownerCap << 1);
    if (!reserve(cap * (ownerBytes + 4) + 64)) return false;
    const moved = alloc(cap * ownerBytes);
    const movedLinks = alloc(cap << 2);
    if (!moved || !movedLinks) return false;
    memory.fill(moved, 0, cap * ownerBytes);
    memory.fill(movedLinks, 0, cap << 2);
    if (owners) {
      memory.copy(moved, owners, ownerCap * ownerBytes);
      memory.copy(movedLinks, links, ownerCap << 2);
      free(owners);
      free(links);
    }
    owners = moved;
    links = movedLinks;
    ownerCap = cap;
  }
  const o = ownerAt(slot);
  memory.fill(o, 0, ownerBytes);
  store<u32>(o, 1, oOpen);
  return true;
}

export function blocksOf(slot: u32): u32 { return load<u32>(ownerAt(slot), oBlocks); }

@inline function copyEntry(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from));
  store<u32>(to, load<u32>(from, 8), 8);
}

@inline function homeOf(o: usize, page: u32): u32 { return (page * 0x9e3779b1) >>> load<u32>(o, oShift); }
@inline function maskOf(o: usize): u32 { return (<u32>-1) >>> load<u32>(o, oShift); }

/** Makes room for `more` entries; false where the heap has none. */
function ensurePages(o: usize, more: u32): bool {
  const old: usize = load<u32>(o, oPages);
  const need = load<u32>(o, oUsed) + more;
  const cells: u32 = old ? maskOf(o) + 1 : 0;
  if (need * 5 <= cells * 4) return true;
  let shift: u32 = old ? load<u32>(o, oShift) - 1 : 29;
  while (need * 5 > ((<u32>-1 >>> shift) + 1) * 4) shift -= 1;
  const wide = (<u32>-1 >>> shift) + 1;
  const moved = alloc(wide * entryBytes);
  if (!moved) return false;
  memory.fill(moved, 0, wide * entryBytes);
  store<u32>(o, <u32>moved, oPages);
  store<u32>(o, shift, oShift);
  if (old) {
    const end = old + cells * entryBytes;
    for (let at = old; at < end; at += entryBytes) {
      const key = load<u32>(at);
      if (!key) continue;
      let i = homeOf(o, key);
      while (load<u32>(moved + i * entryBytes)) i = (i + 1) & (wide - 1);
      copyEntry(moved + i * entryBytes, at);
    }
    free(old);
  }
  return true;
}

/** Notes that the run has numbers `low` to `high` of this page; there is room. */
function putPage(o: usize, page: u32, run: usize, low: u32, high: u32): void {
  const pages: usize = load<u32>(o, oPages);
  const mask = maskOf(o);
  const key = page + 1;
  let i = homeOf(o, key);
  for (;;) {
    const at = pages + i * entryBytes;
    const has = load<u32>(at);
    if (!has) {
      store<u32>(at, key);
      store<u32>(at, <u32>run, 4);
      store<u32>(at, high << 7 | low, 8);
      store<u32>(o, load<u32>(o, oUsed) + 1, oUsed);
      return;
    }
    if (has == key && load<u32>(at, 4) == <u32>run) {
      const word = load<u32>(at, 8);
      store<u32>(at, word >>> rangeBits << rangeBits | max(word >>> 7 & 127, high) << 7 | min(word & 127, low), 8);
      return;
    }
    i = (i + 1) & mask;
  }
}

function dropPage(o: usize, page: u32, run: usize): void {
  const pages: usize = load<u32>(o, oPages);
  const mask = maskOf(o);
  const key = page + 1;
  let i = homeOf(o, key);
  for (;;) {
    const at = pages + i * entryBytes;
    const has = load<u32>(at);
    if (!has) return;
    if (has == key && load<u32>(at, 4) == <u32>run) break;
    i = (i + 1) & mask;
  }
  let j = i;
  for (;;) {
    j = (j + 1) & mask;
    const other = load<u32>(pages + j * entryBytes);
    if (!other) break;
    if (((j - homeOf(o, other)) & mask) < ((j - i) & mask)) continue;
    copyEntry(pages + i * entryBytes, pages + j * entryBytes);
    i = j;
  }
  store<u64>(pages + i * entryBytes, 0);
  store<u32>(o, load<u32>(o, oUsed) - 1, oUsed);
}

/** The span of the run with this number of the owner, or 0. The page's entry remembers its place. */
@inline function spanWith(run: usize, slot: u32, n: u32, entry: usize): usize {
  const spans: usize = load<u32>(run, rSpans);
  const word = load<u32>(entry, 8);
  const place = (word >>> rangeBits) * spanBytes;
  const size = load<u32>(run, rCount) * spanBytes;
  if (place < size && isIn(spans + place, slot, n)) return spans + place;
  for (let at: u32 = 0; at < size; at += spanBytes) {
    if (!isIn(spans + at, slot, n)) continue;
    store<u32>(entry, min(at / spanBytes, mostPlace) << rangeBits | word & 0x3fff, 8);
    return spans + at;
  }
  return 0;
}

@inline function isIn(s: usize, slot: u32, n: u32): bool {
  return load<u32>(s, 8) == slot && n - load<u32>(s, 12) < load<u32>(s, 4) - load<u32>(s);
}

/** False where the number surely is not in the range of the entry's third word. */
@inline function mayHave(word: u32, low: u32): bool {
  return low >= (word & 127) && low <= (word >>> 7 & 127);
}

/** The run of the span that `lookup` found. */
let foundRun: usize = 0;

/** The owner's span with this number, or 0. */
function lookup(slot: u32, n: u32): usize {
  const o = ownerAt(slot);
  const pages: usize = load<u32>(o, oPages);
  if (!pages) return 0;
  const mask = maskOf(o);
  const key = (n >>> pageShift) + 1;
  let i = homeOf(o, key);
  while (true) {
    const at = pages + i * entryBytes;
    const has = load<u32>(at);
    if (!has) return 0;
    if (has == key && mayHave(load<u32>(at, 8), n & 127)) {
      const run: usize = load<u32>(at, 4);
      const s = spanWith(run, slot, n, at);
      if (s) {
        foundRun = run;
        return s;
      }
    }
    i = (i + 1) & mask;
  }
}

function hasPage(run: usize, slot: u32, page: u32): bool {
  let s: usize = load<u32>(run, rSpans);
  const end = s + load<u32>(run, rCount) * spanBytes;
  for (; s < end; s += spanBytes) {
    if (load<u32>(s, 8) != slot) continue;
    const first = load<u32>(s, 12);
    const last = first + (load<u32>(s, 4) - load<u32>(s) - 1);
    if (first >>> pageShift <= page && page <= last >>> pageShift) return true;
  }
  return false;
}

/** Room for one more span, or false. */
function ensureSpan(run: usize): bool {
  const spans: usize = load<u32>(run, rSpans);
  const count = load<u32>(run, rCount);
  const isOwn = spans == run + rOwn;
  if (isOwn ? count == 0 : sizeOf(spans) >= (count + 1) * spanBytes) return true;
  const size = (count + 1 + (count >>> 1)) * spanBytes;
  const moved = isOwn ? alloc(size) : resize(spans, count * spanBytes, size);
  if (!moved) return false;
  if (isOwn) memory.copy(moved, spans, spanBytes);
  store<u32>(run, <u32>moved, rSpans);
  return true;
}

/** Puts a span in its place; there is room. */
function insertSpan(run: usize, from: u32, to: u32, slot: u32, first: u32): void {
  const spans: usize = load<u32>(run, rSpans);
  const count = load<u32>(run, rCount);
  let s = spans + count * spanBytes;
  while (s > spans && load<u32>(s - spanBytes) > from) s -= spanBytes;
  const end = spans + count * spanBytes;
  if (s < end) memory.copy(s + spanBytes, s, end - s);
  store<u32>(s, from);
  store<u32>(s, to, 4);
  store<u32>(s, slot, 8);
  store<u32>(s, first, 12);
  store<u32>(run, count + 1, rCount);
}

/**
 * The owner holds blocks `from` to `to` of the run, numbered from `first`. `hint` is a span that it may go on, or 0.
 * False, and nothing changed, where the heap has no room.
 */
function addSpan(run: usize, from: u32, to: u32, slot: u32, first: u32, hint: usize): bool {
  const o = ownerAt(slot);
  const firstPage = first >>> pageShift;
  const last = first + (to - from - 1);
  const lastPage = last >>> pageShift;
  if (!ensurePages(o, lastPage - firstPage + 1)) return false;
  fade(run);
  if (
    hint && load<u32>(hint, 4) == from && load<u32>(hint, 8) == slot &&
    load<u32>(hint, 12) + (from - load<u32>(hint)) == first && first != 0
  ) store<u32>(hint, to, 4);
  else {
    if (!ensureSpan(run)) return false;
    insertSpan(run, from, to, slot, first);
  }
  for (let page = firstPage; page <= lastPage; page++) {
    const low = page == firstPage ? first & 127 : 0;
    putPage(o, page, run, low, page == lastPage ? last & 127 : 127);
  }
  store<u32>(o, load<u32>(o, oBlocks) + (to - from), oBlocks);
  total += to - from;
  return true;
}

/** The owner holds blocks `a` to `b` of span `s` no more. The run may go with its last span. */
function cutSpan(run: usize, s: usize, a: u32, b: u32): void {
  fade(run);
  const from = load<u32>(s);
  const to = load<u32>(s, 4);
  const slot = load<u32>(s, 8);
  const first = load<u32>(s, 12);
  const o = ownerAt(slot);
  let gone = b;
  if (a == from && b == to) removeSpan(run, s);
  else if (b == to) store<u32>(s, a, 4);
  else if (a == from) moveUp(run, s, b, first + (b - from));
  else {
    const place = s - load<u32>(run, rSpans);
    if (ensureSpan(run)) {
      store<u32>(<usize>load<u32>(run, rSpans) + place, a, 4);
      insertSpan(run, b, to, slot, first + (b - from));
    } else {
      // No room to tell of a hole: what lies behind it is given up with it.
      store<u32>(s, a, 4);
      gone = to;
      store<u32>(o, load<u32>(o, oEvicted) + (to - b), oEvicted);
      evicted += to - b;
    }
  }
  const lastPage = (first + (gone - 1 - from)) >>> pageShift;
  for (let page = (first + (a - from)) >>> pageShift; page <= lastPage; page++) {
    if (!hasPage(run, slot, page)) dropPage(o, page, run);
  }
  store<u32>(o, load<u32>(o, oBlocks) - (gone - a), oBlocks);
  total -= gone - a;
  if (!load<u32>(run, rCount)) freeRun(run);
  else if (gone == load<u32>(run, rLen)) {
    trim(run);
    join(run);
  }
}

function removeSpan(run: usize, s: usize): void {
  const count = load<u32>(run, rCount) - 1;
  const spans: usize = load<u32>(run, rSpans);
  const end = spans + count * spanBytes;
  if (s < end) memory.copy(s, s + spanBytes, end - s);
  store<u32>(run, count, rCount);
  if (spans == run + rOwn) return;
  const has = sizeOf(spans);
  if (has > 256 && count * spanBytes * 3 < has) cut(spans, max<u32>(count, 1) * spanBytes);
}

/** A span begins later, and moves behind those that begin before it. */
function moveUp(run: usize, s: usize, from: u32, first: u32): void {
  const to = load<u32>(s, 4);
  const slot = load<u32>(s, 8);
  const end = <usize>load<u32>(run, rSpans) + load<u32>(run, rCount) * spanBytes;
  let at = s;
  while (at + spanBytes < end && load<u32>(at + spanBytes) < from) at += spanBytes;
  if (at > s) memory.copy(s, s + spanBytes, at - s);
  store<u32>(at, from);
  store<u32>(at, to, 4);
  store<u32>(at, slot, 8);
  store<u32>(at, first, 12);
}

/** Forgets all that an owner holds. */
export function clearOwner(slot: u32): void {
  const o = ownerAt(slot);
  const pages: usize = load<u32>(o, oPages);
  if (pages) {
    const end = pages + (<usize>maskOf(o) + 1) * entryBytes;
    // A run stands on several pages: it is left at the first, and looked at once more when all are left.
    for (let at = pages; at < end; at += entryBytes) {
      const run: usize = load<u32>(at, 4);
      if (run && !leaveRun(run, slot)) store<u32>(at, 0, 4);
    }
    for (let at = pages; at < end; at += entryBytes) {
      const run: usize = load<u32>(at, 4);
      if (!run) continue;
      if (load<u32>(run, rCount)) trim(run);
      else freeRun(run);
    }
    free(pages);
  }
  total -= load<u32>(o, oBlocks);
  memory.fill(o, 0, ownerBytes);
  store<u32>(o, 1, oOpen);
}

/** Takes all spans of the owner out of a run; false where there was none. */
function leaveRun(run: usize, slot: u32): bool {
  fade(run);
  const spans: usize = load<u32>(run, rSpans);
  const end = spans + load<u32>(run, rCount) * spanBytes;
  let to = spans;
  for (let s = spans; s < end; s += spanBytes) {
    if (load<u32>(s, 8) == slot) continue;
    if (to != s) memory.copy(to, s, spanBytes);
    to += spanBytes;
  }
  store<u32>(run, <u32>(to - spans) / spanBytes, rCount);
  return to != end;
}

/** Forgets an owner and its blocks. */
export function closeOwner(slot: u32): void {
  clearOwner(slot);
  store<u32>(ownerAt(slot), 0, oOpen);
}
