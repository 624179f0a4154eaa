/**
 * xxh64 (Yann Collet, XXH64 specification 0.1.1) over bytes, in u32 halves: no BigInt, no allocation per call.
 * Little-endian input, 64-bit seed and digest as (hi, lo).
 */
export interface Hash64 {
  hi: number;
  lo: number;
}

const P1H = 0x9e3779b1, P1L = 0x85ebca87;
const P2H = 0xc2b2ae3d, P2L = 0x27d4eb4f;
const P3H = 0x165667b1, P3L = 0x9e3779f9;
const P4H = 0x85ebca77, P4L = 0xc2b2ae63;
const P5H = 0x27d4eb2f, P5L = 0x165667c5;

/** Low 64 bits of the product of two u64, through 16-bit limbs of the low halves; no intermediate leaves u32. */
function mul(out: Hash64, ah: number, al: number, bh: number, bl: number): void {
  const a0 = al & 0xffff, a1 = al >>> 16, b0 = bl & 0xffff, b1 = bl >>> 16;
  const low = Math.imul(a0, b0) >>> 0;
  const mid1 = (Math.imul(a1, b0) + (low >>> 16)) >>> 0;
  const mid2 = (Math.imul(a0, b1) + (mid1 & 0xffff)) >>> 0;
  out.lo = ((mid2 << 16) | (low & 0xffff)) >>> 0;
  const high = Math.imul(a1, b1) + (mid1 >>> 16) + (mid2 >>> 16);
  out.hi = (high + Math.imul(ah, bl) + Math.imul(al, bh)) >>> 0;
}

function add(out: Hash64, bh: number, bl: number): void {
  const lo = out.lo + bl;
  out.hi = (out.hi + bh + (lo > 0xffffffff ? 1 : 0)) >>> 0;
  out.lo = lo >>> 0;
}

/** Rotates left by r, 0 < r < 32. */
function rotl(out: Hash64, r: number): void {
  const { hi, lo } = out;
  out.hi = ((hi << r) | (lo >>> (32 - r))) >>> 0;
  out.lo = ((lo << r) | (hi >>> (32 - r))) >>> 0;
}

/** Exclusive-or with itself shifted right by r, 0 < r < 64. */
function xorShift(out: Hash64, r: number): void {
  if (r >= 32) {
    out.lo = (out.lo ^ (out.hi >>> (r - 32))) >>> 0;
  } else {
    const { hi, lo } = out;
    out.hi = (hi ^ (hi >>> r)) >>> 0;
    out.lo = (lo ^ ((lo >>> r) | (hi << (32 - r)))) >>> 0;
  }
}

const scratch: Hash64 = { hi: 0, lo: 0 };

/** acc = rotl(acc + lane * P2, 31) * P1. */
function round(acc: Hash64, laneHi: number, laneLo: number): void {
  mul(scratch, laneHi, laneLo, P2H, P2L);
  add(acc, scratch.hi, scratch.lo);
  rotl(acc, 31);
  mul(acc, acc.hi, acc.lo, P1H, P1L);
}

function mergeRound(out: Hash64, lane: Hash64): void {
  const value = { hi: 0, lo: 0 };
  round(value, lane.hi, lane.lo);
  out.hi = (out.hi ^ value.hi) >>> 0;
  out.lo = (out.lo ^ value.lo) >>> 0;
  mul(out, out.hi, out.lo, P1H, P1L);
  add(out, P4H, P4L);
}

const lanes: Hash64[] = [0, 1, 2, 3].map(() => ({ hi: 0, lo: 0 }));

function mixStripes(out: Hash64, view: DataView, start: number, end: number, seed: Hash64): number {
  const [v1, v2, v3, v4] = lanes;
  v1.hi =
    v2.hi =
    v3.hi =
    v4.hi =
      seed.hi;
  v1.lo =
    v2.lo =
    v3.lo =
    v4.lo =
      seed.lo;
  add(v1, P1H, P1L);
  add(v1, P2H, P2L);
  add(v2, P2H, P2L);
  add(v4, ~P1H >>> 0, (~P1L + 1) >>> 0);
  let at = start;
  for (; at + 32 <= end; at += 32) {
    round(v1, view.getUint32(at + 4, true), view.getUint32(at, true));
    round(v2, view.getUint32(at + 12, true), view.getUint32(at + 8, true));
    round(v3, view.getUint32(at + 20, true), view.getUint32(at + 16, true));
    round(v4, view.getUint32(at + 28, true), view.getUint32(at + 24, true));
  }
  out.hi = out.lo = 0;
  [1, 7, 12, 18].forEach((r, i) => {
    scratch.hi = lanes[i].hi;
    scratch.lo = lanes[i].lo;
    rotl(scratch, r);
    add(out, scratch.hi, scratch.lo);
  });
  for (const lane of lanes) mergeRound(out, lane);
  return at;
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
  if (length >= 32) {
    at = mixStripes(out, view, start, end, { hi: seed.hi, lo: seed.lo });
  } else {
    out.hi = seed.hi;
    out.lo = seed.lo;
    add(out, P5H, P5L);
  }
  add(out, Math.floor(length / 4294967296), length >>> 0);
  for (; at + 8 <= end; at += 8) {
    const lane = { hi: 0, lo: 0 };
    round(lane, view.getUint32(at + 4, true), view.getUint32(at, true));
    out.hi = (out.hi ^ lane.hi) >>> 0;
    out.lo = (out.lo ^ lane.lo) >>> 0;
    rotl(out, 27);
    mul(out, out.hi, out.lo, P1H, P1L);
    add(out, P4H, P4L);
  }
  if (at + 4 <= end) {
    mul(scratch, 0, view.getUint32(at, true), P1H, P1L);
    out.hi = (out.hi ^ scratch.hi) >>> 0;
    out.lo = (out.lo ^ scratch.lo) >>> 0;
    rotl(out, 23);
    mul(out, out.hi, out.lo, P2H, P2L);
    add(out, P3H, P3L);
    at += 4;
  }
  for (; at < end; at++) {
    mul(scratch, 0, view.getUint8(at), P5H, P5L);
    out.hi = (out.hi ^ scratch.hi) >>> 0;
    out.lo = (out.lo ^ scratch.lo) >>> 0;
    rotl(out, 11);
    mul(out, out.hi, out.lo, P1H, P1L);
  }
  xorShift(out, 33);
  mul(out, out.hi, out.lo, P2H, P2L);
  xorShift(out, 29);
  mul(out, out.hi, out.lo, P3H, P3L);
  xorShift(out, 32);
}

/** xxh64 of bytes with a seed given as (hi, lo). */
export function xxh64(bytes: Uint8Array, seed: Hash64 = { hi: 0, lo: 0 }): Hash64 {
  const out = { hi: 0, lo: 0 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  xxh64Into(out, view, 0, bytes.byteLength, seed);
  return out;
}
