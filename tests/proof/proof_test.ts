import assert from "node:assert/strict";
import {
  isProved,
  proofModes,
  proofPrompts,
  proofReport,
  runProof,
  shortSizes,
} from "@pixii/bench/proof";
import type { HouseOptions } from "@pixii/bench/proof";
import { bundledModel } from "@pixii/workers/testing";
import { microSliding } from "./micro_sliding.ts";

const isLinux = Deno.build.os === "linux";

/** Proves every mode there is with `count` short prompts; the failure holds the table. */
async function prove(house: Partial<HouseOptions> & { model: string }, count: number) {
  const prompts = proofPrompts(count, shortSizes);
  const outcomes = await runProof({
    house: { kvType: "f16", ctx: 512, kvHost: "256MiB", ...house },
    ...{ prompts, modes: proofModes, groupSize: 30, diskSize: "256MiB" },
  });
  const report = proofReport(outcomes, prompts).join("\n");
  assert.ok(outcomes.length === 1 + proofModes.length && outcomes.every(isProved), report);
  // Not promised where chunks are cut otherwise, but so it is: nothing is computed twice in two ways.
  assert.ok(outcomes.every(({ voiced, bitIdentical }) => bitIdentical === voiced), report);
}

Deno.test({
  name: "proof: tiny says the same in every mode, prompt by prompt, to the last bit",
  ignore: !isLinux,
  fn: () => prove({ model: bundledModel("tiny.gguf") }, 60),
});

for (const kvType of ["f16", "q8_0"] as const) {
  Deno.test({
    name: `proof: a model with sliding windows and ${kvType} KV says the same in every mode`,
    ignore: !isLinux,
    async fn() {
      await using model = await microSliding();
      await prove({ model: model.path, kvType, ctx: 768 }, 20);
    },
  });
}
