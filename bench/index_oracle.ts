/**
 * `deno task bench:index:oracle [--seeds 200] [--operations 10000000]`: the same random operations on the index and on the
 * Map tree; ends with exit 1 at the first difference and says its seed.
 */
import { parseArgs } from "node:util";
import { IndexDuel } from "@pixii/router/oracle";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    seeds: { type: "string", default: "200" },
    operations: { type: "string", default: "10000000" },
  },
});
const seeds = Number(flags.seeds);
const each = Math.ceil(Number(flags.operations) / seeds);
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
