import assert from "node:assert/strict";
import { greedySampling } from "@pixii/wire";
import type { RequestId } from "@pixii/wire";
import { promptOf } from "../engine_contract.ts";
import type { Engine } from "../engine.ts";
import { bundledModel } from "../testing/models.ts";
import { openLlama } from "./open_testing.ts";

function submit(engine: Engine, stream: number, maxTokens: number): void {
  const taken = engine.submit({
    ...{ stream, emitted: 0, choice: 0, tenantSalt: "", adapter: "", priority: 0 },
    key: { requestId: "0".repeat(32) as RequestId, attempt: 0, leg: 0 },
    tokens: Uint32Array.from(promptOf(engine, 1, stream)),
    sampling: greedySampling,
    stop: { maxTokens, minTokens: 0, stopTokenIds: [], ignoreEos: true },
  });
  assert.ok(taken.ok, JSON.stringify(taken));
}

Deno.test("a prompt that comes while another decodes is begun within a few steps", async () => {
  const trials = 9;
  const model = bundledModel("tiny.gguf");
  await using engine = await openLlama(model);
  const waited: number[] = [];
  let askedAt = 0;
  let asked = 1;
  const ask = async () => {
    // Some milliseconds of other work: a prompt does not come just when a step was told.
    await Deno.readFile(model);
    askedAt = engine.load().stepCount;
    submit(engine, ++asked, 1);
  };
  submit(engine, asked, 1000);
  for await (const { step, outputs } of engine.steps()) {
    if (asked === 1) await ask();
    else if (outputs.some(({ stream }) => stream === asked)) {
      waited.push(step - askedAt);
      if (waited.length === trials) break;
      await ask();
    }
  }
  // The median: a machine that stops this program between two lines may let many steps pass.
  const median = waited.toSorted((a, b) => a - b)[trials >> 1];
  assert.ok(median <= 4, `steps until the first token: ${waited}`);
});
