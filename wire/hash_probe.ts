import { hexOfU64 } from "./ids.ts";
import { routeHashes } from "./route_hash.ts";
import type { HashList } from "./route_hash.ts";

/** Whole blocks of the probe. */
const probeBlocks = 3;

/** What a probe is made for. */
export interface ProbeShape {
  readonly blockSize: number;
  /** Token ids of the probe lie below it. */
  readonly vocabSize: number;
}

/** How a program hashes the whole blocks of a prompt under an adapter and a tenant. */
export type BlockHashing = (
  tokens: ArrayLike<number>,
  options: {
    readonly blockSize: number;
    readonly adapterDigest: string;
    readonly tenantSalt: string;
  },
) => HashList;

/** Tokens of the probe prompt: three blocks and a part of a fourth, which has no hash. */
export function probeTokens({ blockSize, vocabSize }: ProbeShape): Uint32Array {
  const count = probeBlocks * blockSize + Math.min(1, blockSize - 1);
  return Uint32Array.from({ length: count }, (_, i) => (i * 7_919 + 11) % vocabSize);
}

/**
 * What a program's block hashes come to on the probe prompt, without and with adapter and tenant: 32 hex digits, the last
 * RouteHash of each. A worker puts its own on its card and a router compares: where they differ, their hashes name
 * different blocks. O(tokens of four blocks).
 */
export function hashProbe(shape: ProbeShape, hashing: BlockHashing = routeHashes): string {
  const tokens = probeTokens(shape);
  const { blockSize } = shape;
  return ["", "probe"].map((salt) => {
    const { hi, lo } = hashing(tokens, { blockSize, adapterDigest: salt, tenantSalt: salt });
    return hi.length === probeBlocks
      ? hexOfU64(hi[probeBlocks - 1], lo[probeBlocks - 1])
      : `${hi.length} blocks`;
  }).join("");
}
