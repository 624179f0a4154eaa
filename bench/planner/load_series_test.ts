import assert from "node:assert/strict";
import { readSeries } from "./load_series.ts";
import { LoadMeans } from "./load_means.ts";
import { worldOf } from "./world.ts";

const options = {
  world: worldOf({ startMs: 30_000, flipMs: 2_000 }),
  ...{ seed: 1, cv: 1, days: 1, gpus: 4, mostRate: 5 },
};

Deno.test("readSeries() reads files of rates and of requests by their first line", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/rates.csv`,
    "t_s,a_req_per_s,a_mean_in,a_mean_out,b-c_req_per_s,b-c_mean_in,b-c_mean_out\n" +
      "0,10,300,100,2,100,20\n600,20,300,,2,200,20\n1200,10,400,50,,,\n",
  );
  await Deno.writeTextFile(
    `${folder}/conv_2023.csv`,
    "TIMESTAMP,ContextTokens,GeneratedTokens\n" +
      "2023-11-16 18:15:46.5000000,374,44\n2023-11-16 18:15:50.7500000,396,109\n",
  );
  const paths = [`${folder}/rates.csv`, `${folder}/conv_2023.csv`];
  const all = [];
  for await (const series of readSeries(paths, options)) all.push(series);
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(all.map(({ name }) => name), ["a", "b-c", "conv"]);
  assert.deepEqual(all[2].requests, [
    { atMs: 0, isl: 374, osl: 44 },
    { atMs: 4_250, isl: 396, osl: 109 },
  ]);
  const [rises, flat] = [all[0].means, all[1].means];
  assert.ok(rises.over(600_000, 120_000).rate > 1.6 * rises.over(60_000, 120_000).rate);
  assert.ok(flat.over(300_000, 600_000).rate <= 5.5, "no more requests than asked for");
});

Deno.test("LoadMeans.over() is the mean of the bins around a time", () => {
  const requests = Array.from({ length: 60 }, (_, i) => ({ atMs: 1_000 * i, isl: i, osl: 10 }));
  const means = new LoadMeans(requests);
  assert.deepEqual(means.over(15_000, 15_000), { rate: 1, isl: 22, osl: 10 });
  assert.equal(means.over(0, 600_000).isl, 29.5);
});
