import type { Chance } from "./chance.ts";
import { chanceOf } from "./chance_system.ts";

/** Words thrown away after seeding, until the state is well mixed. */
const warmUpWords = 15;

/** Randomness from a seed (any integer; its low 32 bits count) by sfc32: equal seeds give equal draws, on every machine. */
export function seededChance(seed: number): Chance {
  let a = seed >>> 0;
  let b = 0x9e3779b9;
  let c = 0x243f6a88;
  let counter = 1;
  const u32 = () => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  };
  for (let i = 0; i < warmUpWords; i++) u32();
  return chanceOf(u32);
}
