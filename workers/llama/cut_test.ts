import assert from "node:assert/strict";
import { bundledModel } from "../testing/models.ts";
import { BlockTrial } from "./block_trial_testing.ts";

Deno.test({
  name: "cut() into memory that is too short says no and writes nothing behind it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const poolPath = `/dev/shm/pixii-test-${crypto.randomUUID()}`;
    using trial = await BlockTrial.open(bundledModel("tiny.gguf"), {
      ...{ tokens: 128, cells: 512, poolPath, nowMs: () => 0 },
    });
    for (const lacks of [1, 64, 4_096]) {
      const { isCut, behind } = trial.cutShort(lacks);
      assert.equal(isCut, false);
      assert.ok(behind.every((byte) => byte === 0xab), `${lacks} bytes`);
    }
    trial.cut();
  },
});
