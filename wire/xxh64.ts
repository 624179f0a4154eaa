/**
 * xxh64 (Yann Collet, XXH64 specification 0.1.1) over bytes, in 32-bit halves: no BigInt, no allocation per call.
 * Little-endian input, 64-bit seed and digest as (hi, lo).
 */
export interface Hash64 {
  hi: number;
  lo: number;
}

const P1H = 0x9e3779b1 | 0, P1L = 0x85ebca87 | 0;
const P2H = 0xc2b2ae3d | 0, P2L = 0x27d4eb4f | 0;
const P3H = 0x165667b1 | 0, P3L = 0x9e3779f9 | 0;
const P4H = 0x85ebca77 | 0, P4L = 0xc2b2ae63 | 0;
const P5H = 0x27d4eb2f | 0, P5L = 0x165667c5 | 0;

/**
 * Registers, two words each (high, low): the four lanes at 0, 2, 4, 6, then the digest and a scratch one. A typed array
 * keeps every word a machine integer; fields of objects would turn those above 2^31 into doubles.
 */
const words = new Int32Array(12);
const digest = 8;
const scratch = 10;

/** Register `at` times a constant, modulo 2^64, through 16-bit limbs: no sum leaves 32 bits. */
function mul(at: number, bh: number, bl: number): void {
  const ah = words[at], al = words[at + 1];
  const a0 = al & 0xffff, a1 = al >>> 16, b0 = bl & 0xffff, b1 = bl >>> 16;
  const low = Math.imul(a0, b0);
  const mid1 = (Math.imul(a1, b0) + (low >>> 16)) | 0;
  const mid2 = (Math.imul(a0, b1) + (mid1 & 0xffff)) | 0;
  const high = (Math.imul(a1, b1) + (mid1 >>> 16) + (mid2 >>> 16)) | 0;
  words[at] = (high + Math.imul(ah, bl) + Math.imul(al, bh)) | 0;
  words[at + 1] = (mid2 << 16) | (low & 0xffff);
}

function add(at: number, bh: number, bl: number): void {
  const lo = (words[at + 1] + bl) | 0;
  const carry = (lo >>> 0) < (bl >>> 0) ? 1 : 0;
  words[at] = (words[at] + bh + carry) | 0;
  words[at + 1] = lo;
}

/** Rotates left by r, 0 < r < 32. */
function rotl(at: number, r: number): void {
  const hi = words[at], lo = words[at + 1];
  words[at] = (hi << r) | (lo >>> (32 - r));
  words[at + 1] = (lo << r) | (hi >>> (32 - r));
}

function xor(at: number, bh: number, bl: number): void {
  words[at] ^= bh;
  words[at + 1] ^= bl;
}

function set(at: number, hi: number, lo: number): void {
  words[at] = hi;
  words[at + 1] = lo;
}

/** Exclusive-or with itself shifted right by r, 0 < r < 64. */
function xorShift(at: number, r: number): void {
  const hi = words[at], lo = words[at + 1];
  if (r >= 32) words[at + 1] = lo ^ (hi >>> (r - 32));
  else {
    words[at] = hi ^ (hi >>> r);
    words[at + 1] = lo ^ ((lo >>> r) | (hi << (32 - r)));
  }
}

/** acc = rotl(acc + lane * P2, 31) * P1, for the accumulator in register `at`. */
function round(at: number, laneHi: number, laneLo: number): void {
  set(scratch, laneHi, laneLo);
  mul(scratch, P2H, P2L);
  add(at, words[scratch], words[scratch + 1]);
  rotl(at, 31);
  mul(at, P1H, P1L);
}

/** Mixes lane register `at` into the digest; the lane is used up. */
function mergeRound(at: number): void {
  const hi = words[at], lo = words[at + 1];
  set(at, 0, 0);
  round(at, hi, lo);
  xor(digest, words[at], words[at + 1]);
  mul(digest, P1H, P1L);
  add(digest, P4H, P4L);
}

function mixStripes(view: DataView, start: number, end: number, seed: Hash64): number {
  for (let lane = 0; lane < 8; lane += 2) set(lane, seed.hi | 0, seed.lo | 0);
  add(0, P1H, P1L);
  add(0, P2H, P2L);
  add(2, P2H, P2L);
  add(6, ~P1H, -P1L | 0);
  let at = start;
  for (; at + 32 <= end; at += 32) {
    round(0, view.getInt32(at + 4, true), view.getInt32(at, true));
    round(2, view.getInt32(at + 12, true), view.getInt32(at + 8, true));
    round(4, view.getInt32(at + 20, true), view.getInt32(at + 16, true));
    round(6, view.getInt32(at + 28, true), view.getInt32(at + 24, true));
  }
  set(digest, 0, 0);
  addRotated(0, 1);
  addRotated(2, 7);
  addRotated(4, 12);
  addRotated(6, 18);
  for (let lane = 0; lane < 8; lane += 2) mergeRound(lane);
  return at;
}

function addRotated(lane: number, r: number): void {
  set(scratch, words[lane], words[lane + 1]);
  rotl(scratch, r);
  add(digest, words[scratch], words[scratch + 1]);
}

/** What is left after the stripes, fewer than 32 bytes: by eight, four, one. */
function mixTail(view: DataView, start: number, end: number): void {
  let at = start;
  for (; at + 8 <= end; at += 8) {
    set(0, 0, 0);
    round(0, view.getInt32(at + 4, true), view.getInt32(at, true));
    xor(digest, words[0], words[1]);
    rotl(digest, 27);
    mul(digest, P1H, P1L);
    add(digest, P4H, P4L);
  }
  if (at + 4 <= end) {
    set(scratch, 0, view.getInt32(at, true));
    mul(scratch, P1H, P1L);
    xor(digest, words[scratch], words[scratch + 1]);
    rotl(digest, 23);
    mul(digest, P2H, P2L);
    add(digest, P3H, P3L);
    at += 4;
  }
  for (; at < end; at++) {
    set(scratch, 0, view.getUint8(at));
    mul(scratch, P5H, P5L);
    xor(digest, words[scratch], words[scratch + 1]);
    rotl(digest, 11);
    mul(digest, P1H, P1L);
  }
}

/** Writes xxh64(bytes[start, end), seed) into `out`. `seed` and `out` may be the same object. */
export function xxh64Into(
  out: Hash64,
  view: DataView,
  start: number,
  end: number,
  seed: Hash64,
): void {
  const length = end - start;
  let at = start;
  if (length >= 32) at = mixStripes(view, start, end, seed);
  else {
    set(digest, seed.hi | 0, seed.lo | 0);
    add(digest, P5H, P5L);
  }
  add(digest, Math.floor(length / 4294967296), length | 0);
  mixTail(view, at, end);
  xorShift(digest, 33);
  mul(digest, P2H, P2L);
  xorShift(digest, 29);
  mul(digest, P3H, P3L);
  xorShift(digest, 32);
  out.hi = words[digest] >>> 0;
  out.lo = words[digest + 1] >>> 0;
}

/** xxh64 of bytes with a seed given as (hi, lo). */
export function xxh64(bytes: Uint8Array, seed: Hash64 = { hi: 0, lo: 0 }): Hash64 {
  const out = { hi: 0, lo: 0 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  xxh64Into(out, view, 0, bytes.byteLength, seed);
  return out;
}
