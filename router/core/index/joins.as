// Joining: where the end of a run was given up, the run that alone goes on from what is left becomes a part of it. A
// prompt that is told turn by turn leaves a run per turn: each turn's last block, which was not full, is another in the
// next turn. Once these ends are gone, a walk over the prompt would find nothing but a chain of short runs.

/** Children that are looked at for the one to join. */
const mostLooked: u32 = 4;
/** Most spans of a joined run: one is looked up among all. */
const mostJoined: u32 = 64;

/** Joins a run with the one that alone goes on from its last block, where there is one and the heap has room. */
function join(run: usize): void {
  const len = load<u32>(run, rLen);
  if (load<u32>(run, rFlags) >>> 1 < len) return;
  let only: usize = 0;
  let child: usize = load<u32>(run, rChild);
  for (let i: u32 = 0; child; i++) {
    if (i == mostLooked) return;
    if (load<u32>(child, rAttach) == len - 1) {
      if (only) return;
      only = child;
    }
    child = load<u32>(child, rNext);
  }
  if (!only || len + load<u32>(only, rLen) > mostRun) return;
  const spans = load<u32>(run, rCount) + load<u32>(only, rCount);
  if (spans <= mostJoined && joinRoom(run, len + load<u32>(only, rLen), spans)) takeIn(run, only);
}

/** Room for so many blocks and spans in all; false, with what is there as it was, where the heap has none. */
function joinRoom(run: usize, blocks: u32, most: u32): bool {
  const spans: usize = load<u32>(run, rSpans);
  const kept = load<u32>(run, rCount) * spanBytes;
  const size = most * spanBytes;
  const isOwn = spans == run + rOwn;
  if (isOwn || sizeOf(spans) < size) {
    const moved = isOwn ? alloc(size) : resize(spans, kept, size);
    if (!moved) return false;
    if (isOwn) memory.copy(moved, spans, kept);
    store<u32>(run, <u32>moved, rSpans);
  }
  return ensureHashes(run, blocks);
}

/** The child's blocks, spans and children become the run's, behind its last block; there is room. */
function takeIn(run: usize, child: usize): void {
  fade(run);
  fade(child);
  dropHead(child);
  const len = load<u32>(run, rLen);
  const more = load<u32>(child, rLen);
  memory.copy(<usize>load<u32>(run, rBase) + (len << 3), load<u32>(child, rBase), more << 3);
  store<u32>(run, len + more, rLen);
  const mine: usize = <usize>load<u32>(run, rSpans) + load<u32>(run, rCount) * spanBytes;
  let to = mine;
  let s: usize = load<u32>(child, rSpans);
  const end = s + load<u32>(child, rCount) * spanBytes;
  for (; s < end; s += spanBytes) to = takeSpan(run, child, s, to, len);
  store<u32>(run, <u32>(to - load<u32>(run, rSpans)) / spanBytes, rCount);
  const guess = load<u32>(child, rGuess);
  unhook(child);
  takeChildren(run, child, len);
  store<u32>(run, guess, rGuess);
  store<u32>(run, max(load<u32>(run, rUse), load<u32>(child, rUse)), rUse);
  runCount -= 1;
  freeRecord(child);
}

/**
 * A span of the child becomes one of the run, at `to`, or goes on with one that ends at block `len`, the child's first, under the
 * number before. Returns where the next one goes.
 */
function takeSpan(run: usize, child: usize, s: usize, to: usize, len: u32): usize {
  const from = load<u32>(s);
  const until = load<u32>(s, 4);
  const slot = load<u32>(s, 8);
  const first = load<u32>(s, 12);
  const last = first + (until - from - 1);
  const o = ownerAt(slot);
  for (let page = first >>> pageShift; page <= last >>> pageShift; page++) movePage(o, page, child, run);
  let t: usize = load<u32>(run, rSpans);
  const mine = t + load<u32>(run, rCount) * spanBytes;
  for (; !from && t < mine; t += spanBytes) {
    if (load<u32>(t, 8) != slot || load<u32>(t, 4) != len) continue;
    if (load<u32>(t, 12) + (len - load<u32>(t)) != first) continue;
    store<u32>(t, until + len, 4);
    return to;
  }
  store<u32>(to, from + len);
  store<u32>(to, until + len, 4);
  store<u32>(to, slot, 8);
  store<u32>(to, first, 12);
  return to + spanBytes;
}

/** What goes on from the child goes on from the run, so many blocks later. */
function takeChildren(run: usize, child: usize, len: u32): void {
  const flags = load<u32>(run, rFlags);
  let farthest = flags >>> 1;
  let c: usize = load<u32>(child, rChild);
  while (c) {
    const next = load<u32>(c, rNext);
    const attach = load<u32>(c, rAttach) + len;
    store<u32>(c, <u32>run, rParent);
    store<u32>(c, attach, rAttach);
    const sibling: usize = load<u32>(run, rChild);
    store<u32>(c, <u32>sibling, rNext);
    store<u32>(c, 0, rPrev);
    if (sibling) store<u32>(sibling, <u32>c, rPrev);
    store<u32>(run, <u32>c, rChild);
    farthest = max(farthest, attach + 1);
    c = next;
  }
  store<u32>(run, farthest << 1 | flags & suspect, rFlags);
}

/** A page's entry for one run becomes one for another, or a part of the one that is there. */
function movePage(o: usize, page: u32, child: usize, run: usize): void {
  const pages: usize = load<u32>(o, oPages);
  const mask = maskOf(o);
  const key = page + 1;
  let left: usize = 0;
  let has: usize = 0;
  for (let i = homeOf(o, key); ; i = (i + 1) & mask) {
    const at = pages + i * entryBytes;
    const known = load<u32>(at);
    if (!known) break;
    if (known != key) continue;
    if (load<u32>(at, 4) == <u32>child) left = at;
    else if (load<u32>(at, 4) == <u32>run) has = at;
  }
  // A second span of the child on this page: moved with the first.
  if (!left) return;
  const range = load<u32>(left, 8) & ((1 << rangeBits) - 1);
  if (!has) {
    store<u32>(left, <u32>run, 4);
    store<u32>(left, range, 8);
    return;
  }
  const word = load<u32>(has, 8);
  const low = min(word & 127, range & 127);
  store<u32>(has, word >>> rangeBits << rangeBits | max(word >>> 7 & 127, range >>> 7) << 7 | low, 8);
  dropPage(o, page, child);
}
