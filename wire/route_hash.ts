import { hexOfU64 } from "./ids.ts";
import type { ModelHash } from "./ids.ts";
import { xxh64, xxh64Into } from "./xxh64.ts";
import type { Hash64 } from "./xxh64.ts";

/** A list of 64-bit hashes in two arrays of equal length: hash i is (hi[i], lo[i]). */
export interface HashList {
  readonly hi: Uint32Array;
  readonly lo: Uint32Array;
}

/** The seed of all block hashes under one adapter and tenant: `xxh64("pixii-route-1|" + adapter + "|" + tenant, 0)`. */
export function routeSalt(adapterDigest = "", tenantSalt = ""): Hash64 {
  if (adapterDigest === "" && tenantSalt === "") return plainSalt;
  return saltOf(adapterDigest, tenantSalt);
}

function saltOf(adapterDigest: string, tenantSalt: string): Hash64 {
  return xxh64(new TextEncoder().encode(`pixii-route-1|${adapterDigest}|${tenantSalt}`));
}

/** The salt of nearly every request. */
const plainSalt: Readonly<Hash64> = saltOf("", "");

/** The served name's hash, as subjects and keys carry it. */
export function modelHashOf(name: string): ModelHash {
  const hash = xxh64(new TextEncoder().encode(name));
  return hexOfU64(hash.hi, hash.lo) as ModelHash;
}

/**
 * Chains block hashes: `B_i = xxh64(tokens_i as u32 LE || extraKey_i, salt)`, `R_0 = B_0`,
 * `R_i = xxh64(R_{i-1} LE || B_i LE, salt)`. Feed whole blocks in order; a partial block has no hash.
 */
export class RouteHasher {
  readonly #salt: Hash64;
  readonly #blockSize: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #pair = new DataView(new ArrayBuffer(16));
  readonly #block: Hash64 = { hi: 0, lo: 0 };
  readonly #chain: Hash64 = { hi: 0, lo: 0 };
  #count = 0;

  constructor(options: { blockSize: number; adapterDigest?: string; tenantSalt?: string }) {
    this.#salt = routeSalt(options.adapterDigest, options.tenantSalt);
    this.#blockSize = options.blockSize;
    this.#bytes = new Uint8Array(options.blockSize * 4);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Blocks hashed so far. */
  get count(): number {
    return this.#count;
  }

  /** Hashes the block `tokens[start, start + blockSize)` and returns its RouteHash; the object is reused by the next call. */
  push(tokens: ArrayLike<number>, start: number, extraKey?: Uint8Array): Readonly<Hash64> {
    for (let i = 0; i < this.#blockSize; i++) this.#view.setUint32(4 * i, tokens[start + i], true);
    if (extraKey === undefined || extraKey.length === 0) {
      xxh64Into(this.#block, this.#view, 0, this.#bytes.length, this.#salt);
    } else {
      const joined = new Uint8Array(this.#bytes.length + extraKey.length);
      joined.set(this.#bytes);
      joined.set(extraKey, this.#bytes.length);
      Object.assign(this.#block, xxh64(joined, this.#salt));
    }
    if (this.#count === 0) {
      this.#chain.hi = this.#block.hi;
      this.#chain.lo = this.#block.lo;
    } else {
      this.#pair.setUint32(0, this.#chain.lo, true);
      this.#pair.setUint32(4, this.#chain.hi, true);
      this.#pair.setUint32(8, this.#block.lo, true);
      this.#pair.setUint32(12, this.#block.hi, true);
      xxh64Into(this.#chain, this.#pair, 0, 16, this.#salt);
    }
    this.#count += 1;
    return this.#chain;
  }
}

/** RouteHashes of all whole blocks of a prompt, at most `maxBlocks`. */
export function routeHashes(
  tokens: ArrayLike<number>,
  options: { blockSize: number; adapterDigest?: string; tenantSalt?: string; maxBlocks?: number },
): HashList {
  const count = Math.min(
    Math.floor(tokens.length / options.blockSize),
    options.maxBlocks ?? Infinity,
  );
  const list = { hi: new Uint32Array(count), lo: new Uint32Array(count) };
  if (count === 0) return list;
  const hasher = new RouteHasher(options);
  for (let i = 0; i < count; i++) {
    const hash = hasher.push(tokens, i * options.blockSize);
    list.hi[i] = hash.hi;
    list.lo[i] = hash.lo;
  }
  return list;
}
