import assert from "node:assert/strict";
import { keys, modelHashOf } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { MemoryRegistryHub, openLog, VirtualClock } from "@pixii/runtime";
import { RoleKeys } from "./role_keys.ts";

const namespace = "default";
const flipOf = (n: number) => ({
  ...{
    kind: "flip" as const,
    model: "m",
    from: "prefill" as const,
    to: "decode" as const,
    reason: "test",
  },
  rank: { instance: n.toString(16).padStart(16, "0") as InstanceId, dpRank: 0 },
});

Deno.test("RoleKeys asks for nothing more once the claim to act has run out, and says so", async () => {
  const clock = new VirtualClock();
  await using registry = new MemoryRegistryHub({ clock, log: openLog(["test"]) }).connect();
  await using actuator = new RoleKeys({ registry, namespace, boundMs: 60_000 });
  let asked = 0;
  const done = await actuator.apply({
    ...{ id: "d.1", by: "00000000000000a1" as InstanceId, why: "test" },
    model: { name: "m", hash: modelHashOf("m") },
    have: { prefill: 3, decode: 1, both: 0 },
    after: { prefill: 0, decode: 4, both: 0 },
    moves: [flipOf(1), flipOf(2), flipOf(3)],
    mayAct: () => ++asked <= 2,
  });
  assert.ok(!done.ok);
  assert.equal(done.error.code, "registry_unavailable");
  assert.match(done.error.message, /claim to act has run out/);
  const wishes = await registry.list(keys(namespace).desires);
  assert.ok(wishes.ok);
  assert.equal(wishes.value.length, 2);
});
