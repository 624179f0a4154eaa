/**
 * `deno task bench:index:oracle [--seeds 200] [--operations 10000000]`: the same random operations on the index and on the
 * Map tree; ends with exit 1 at the first difference and says its seed.
 */
import { IndexDuel } from "@pixii/router/oracle";
import { benchFlags } from "./flags.ts";

const flags = benchFlags({
  task: "bench:index:oracle",
  summary: "Random operations on the index and on the Map tree; exit 1 at the first difference.",
  specs: {
    seeds: { kind: "number", help: "Seeds.", fallback: 200 },
    operations: { kind: "number", help: "Operations in all.", fallback: 10000000 },
  },
});
const seeds = flags.seeds;
const each = Math.ceil(flags.operations / seeds);
const start = performance.now();
for (let seed = 1; seed <= seeds; seed++) {
  const duel = new IndexDuel(seed);
  for (let i = 0; i < each; i++) {
    try {
      duel.step();
      if (i % 500 === 0) duel.check();
    } catch (error) {
      console.error(`seed ${seed}, operation ${i}: the index and the Map tree differ`);
      throw error;
    }
  }
  duel.check();
}
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`${seeds * each} operations over ${seeds} seeds, 0 mismatches, ${seconds} s`);
