import type { HashList } from "@pixii/wire";

/** One request of a trace. */
export interface ReplayRequest {
  /** When it comes, in milliseconds from the trace's begin; never less than the one before. */
  readonly atMs: number;
  /** Prompt and answer, in tokens; both at least 1. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The RouteHashes of the prompt's whole blocks. */
  readonly list: HashList;
  /** What the client would name as its session. */
  readonly session?: string;
}

/** A trace, ready to be replayed. */
export interface Trace {
  readonly name: string;
  /** Tokens of a block. */
  readonly blockSize: number;
  readonly requests: readonly ReplayRequest[];
}

/** A 64-bit stand-in for the RouteHash of the block that a trace names with a number. Different numbers, different hashes. */
export function hashOfId(id: number): { readonly hi: number; readonly lo: number } {
  return { hi: mixed(id ^ 0x51f0_a3c5), lo: mixed(id) };
}

/** The finalizer of MurmurHash3 (Austin Appleby): a bijection of u32 that moves every bit. */
export function mixed(value: number): number {
  let x = value ^ (value >>> 16);
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The first `count` ids as hashes. */
export function listOfIds(ids: ArrayLike<number>, count: number): HashList {
  const list = { hi: new Uint32Array(count), lo: new Uint32Array(count) };
  for (let i = 0; i < count; i++) {
    const { hi, lo } = hashOfId(ids[i]);
    list.hi[i] = hi;
    list.lo[i] = lo;
  }
  return list;
}
