import { hexOfU64, type InstanceId, type RequestId } from "@pixii/wire";
import type { Chance } from "./chance.ts";

/** Words drawn from the system at a time: one call per word would cost more than the word. */
const poolWords = 256;

/** Randomness of the machine, good enough for ids that must never meet. */
export function systemChance(): Chance {
  const pool = new Uint32Array(poolWords);
  let used = poolWords;
  return chanceOf(() => {
    if (used === poolWords) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    return pool[used++];
  });
}

/** A `Chance` over any source of uniform u32 words. */
export function chanceOf(u32: () => number): Chance {
  return {
    u32,
    float: () => ((u32() >>> 5) * 67_108_864 + (u32() >>> 6)) / 9_007_199_254_740_992,
    instanceId: () => hexOfU64(u32(), u32()) as InstanceId,
    requestId: () => (hexOfU64(u32(), u32()) + hexOfU64(u32(), u32())) as RequestId,
  };
}
