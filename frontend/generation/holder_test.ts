import assert from "node:assert/strict";
import type { InstanceId } from "@pixii/wire";
import { ScriptedWorld } from "../testing/scripted_world.ts";

Deno.test("a worker is told which other block manager has more of its prompt than its device, and nothing where none has", async () => {
  await using world = await ScriptedWorld.open();
  const kvbm = "00000000000000fa" as InstanceId;
  const holders = () => world.workers.flatMap(({ requests }) => requests.map((one) => one.holder));
  for (const peer of [undefined, { kvbm, blocks: 3 }]) {
    world.router.peer = peer;
    const sink = world.start(2);
    await world.until(() => sink.outcomes.length > 0, 1_000);
  }
  assert.deepEqual(holders().filter((one) => one !== undefined), [{ kvbm, first: 1, end: 3 }]);
  assert.equal(holders().length, 2);
});
