import assert from "node:assert/strict";
import { fail } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { MemoryRegistryHub, recordingLog, VirtualClock } from "@pixii/runtime";
import type { LoggedLine, Registry } from "@pixii/runtime";
import { Leader, leaderTimes } from "./leader.ts";

Deno.test("Leader says once that its claim has run out, and that it acts again", async () => {
  const clock = new VirtualClock();
  const lines: LoggedLine[] = [];
  const log = recordingLog("planner", lines);
  await using inner = new MemoryRegistryHub({ clock, log }).connect();
  const world = { isAway: false };
  const registry: Registry = new Proxy(inner, {
    get: (target, name) => {
      if (name === "claim" && world.isAway) {
        return () => Promise.resolve(fail("registry_unavailable", "it is away"));
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const instance = "00000000000000a1" as InstanceId;
  await using leader = new Leader({ registry, namespace: "default", instance, clock, log });
  await leader.claim();
  assert.equal(leader.isLeader, true);
  world.isAway = true;
  await clock.advance(leaderTimes.ttlMs + 4 * leaderTimes.claimEveryMs);
  assert.equal(leader.isLeader, false);
  world.isAway = false;
  await clock.advance(leaderTimes.claimEveryMs);
  assert.equal(leader.isLeader, true);
  assert.deepEqual(lines.map(({ message }) => message).filter((text) => /^this/.test(text)), [
    "this planner acts",
    "this planner acts no more: its claim has run out",
    "this planner acts",
  ]);
});
