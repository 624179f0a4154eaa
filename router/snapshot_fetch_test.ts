import assert from "node:assert/strict";
import { encode, fail, limits, subjects as subjectsOf } from "@pixii/wire";
import { testHost } from "@pixii/runtime/testing";
import type { EventSource } from "./core/event_source.ts";
import { cardOf, hashesOf, instanceOf, modelHash } from "./testing/samples.ts";
import { ScriptedWorker } from "./testing/scripted_worker.ts";
import { fetchSnapshot } from "./snapshot_fetch.ts";

const source: EventSource = {
  ...{ owner: instanceOf(1), model: modelHash, dpRank: 0, tier: "device", blockSize: 16 },
};
const subjects = subjectsOf("default");
const { signal } = new AbortController();

async function worldOf() {
  const host = testHost();
  const worker = new ScriptedWorker({ ...host.connect(), clock: host.clock }, cardOf(1));
  await worker.open();
  const fetch = (more: Partial<Parameters<typeof fetchSnapshot>[0]> = {}) =>
    fetchSnapshot({ bus: host.bus, subjects, source, roomBlocks: 1_000, signal, ...more });
  return {
    ...{ host, worker, fetch },
    async [Symbol.asyncDispose]() {
      await worker.stop();
      await host[Symbol.asyncDispose]();
    },
  };
}

Deno.test("fetchSnapshot() reads a snapshot in parts", async () => {
  await using world = await worldOf();
  world.worker.store(hashesOf(1, 40));
  world.worker.script.partBytes = 100;
  const snapshot = await world.fetch();
  assert.ok(snapshot.ok);
  assert.deepEqual([snapshot.value.number, snapshot.value.events.length], [1, 40]);
  assert.equal(world.worker.asked.parts, Math.ceil((44 + 40 * 24) / 100));
});

Deno.test("fetchSnapshot() takes an empty snapshot", async () => {
  await using world = await worldOf();
  const snapshot = await world.fetch();
  assert.ok(snapshot.ok);
  assert.deepEqual([snapshot.value.number, snapshot.value.events.length], [0, 0]);
});

Deno.test("fetchSnapshot() fails with the owner's refusal", async () => {
  await using world = await worldOf();
  world.worker.script.refuse = fail("engine_failed", "no").error;
  const snapshot = await world.fetch();
  assert.deepEqual(snapshot, { ok: false, error: { code: "engine_failed", message: "no" } });
});

Deno.test("fetchSnapshot() fails where nobody answers", async () => {
  await using world = await worldOf();
  const snapshot = await world.fetch({ source: { ...source, owner: instanceOf(2) } });
  assert.ok(!snapshot.ok && snapshot.error.code === "no_responders");
});

Deno.test("fetchSnapshot() refuses a wrong digest, another source and another number", async () => {
  await using world = await worldOf();
  world.worker.script.corrupts = true;
  const damaged = await world.fetch();
  assert.ok(!damaged.ok && damaged.error.code === "artifact_invalid");
  assert.match(damaged.error.message, /digest/);
  world.worker.script.corrupts = false;
  for (const more of [{ dpRank: 1 }, { tier: "host" as const }, { blockSize: 32 }]) {
    const other = await world.fetch({ source: { ...source, ...more } });
    assert.ok(!other.ok && /another source/.test(other.error.message));
  }
});

Deno.test("fetchSnapshot() refuses what the index has no room for before it is sent", async () => {
  await using world = await worldOf();
  world.worker.store(hashesOf(1, 100));
  const snapshot = await world.fetch({ roomBlocks: 50 });
  assert.ok(!snapshot.ok && snapshot.error.code === "payload_too_large");
  assert.equal(world.worker.asked.parts, 0);
});

Deno.test("fetchSnapshot() refuses parts that are not those it asked for", async () => {
  const part = (offset: number, totalBytes: number, bytes: number) =>
    encode("part", { offset, totalBytes, data: new Uint8Array(bytes) });
  const head = (totalBytes: number) =>
    encode("snapshotHead", {
      ...{ id: 1, epoch: instanceOf(1), number: 1, totalBytes, digest: "00".repeat(32) },
    });
  const cases = [
    { totalBytes: 60, answer: part(0, 60, 0) },
    { totalBytes: 60, answer: part(1, 60, 59) },
    { totalBytes: 60, answer: part(0, 61, 60) },
    { totalBytes: 60, answer: part(0, 60, 61) },
    { totalBytes: limits.assembledBytes + 1, answer: part(0, 60, 60) },
  ];
  for (const { totalBytes, answer } of cases) {
    await using host = testHost();
    const replies = [head(totalBytes), answer];
    using _served = host.connect().bus.serve(
      subjects.control(source.owner),
      () => replies.shift() ?? new Uint8Array(),
    );
    const snapshot = await fetchSnapshot({
      ...{ bus: host.bus, subjects, source, roomBlocks: Infinity, signal },
    });
    assert.ok(!snapshot.ok);
    const code = totalBytes === 60 ? "artifact_invalid" : "payload_too_large";
    assert.equal(snapshot.error.code, code);
  }
});
