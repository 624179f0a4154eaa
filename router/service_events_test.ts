import assert from "node:assert/strict";
import { fail } from "@pixii/wire";
import { RouterWorld } from "./testing/router_world.ts";
import { hashesOf } from "./testing/samples.ts";

Deno.test("router follows stores, removals and copies", async () => {
  await using world = await RouterWorld.open();
  for (const number of [1, 2]) await world.worker(number);
  const [one, two] = world.workers;
  one.store(hashesOf(1, 4));
  one.store(hashesOf(1, 4));
  two.store(hashesOf(1, 2));
  one.remove(hashesOf(1, 4));
  await world.clock.advance(1);
  assert.equal((await world.placed()).worker, 1);
  one.remove(hashesOf(1, 4));
  await world.clock.advance(1);
  const { request } = await world.ask();
  assert.deepEqual(world.recordOf(request).candidates.map((each) => each.overlap.device), [2, 0]);
});

Deno.test("a lost batch is seen by the next one and made good by a snapshot in parts", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  worker.script.partBytes = 50;
  worker.store(hashesOf(1, 2));
  worker.script.losesBatches = true;
  worker.store(hashesOf(2, 4));
  worker.script.losesBatches = false;
  worker.store(hashesOf(3, 1));
  const source = () => world.index().sources[0];
  await world.until(() => source().state === "exact" && source().number === 3, "the snapshot");
  assert.equal(source().blocks, worker.blocks);
  assert.equal(worker.asked.snapshots, 1);
  assert.ok(worker.asked.parts > 3);
  assert.equal(await world.metric(/^pixii_router_event_gaps_total\{.*cause="gap"/), 1);
  assert.equal(await world.metric(/^pixii_router_snapshots_total\{.*result="swapped"/), 1);
});

Deno.test("a lost last batch is seen by the reports", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 2));
  worker.script.losesBatches = true;
  worker.remove(hashesOf(1, 1));
  const source = () => world.index().sources[0];
  await world.until(() => source().number === 2, "the snapshot");
  assert.equal(source().blocks, 1);
  assert.ok(world.clock.nowMs() < 1_000, `${world.clock.nowMs()} ms`);
  assert.equal(await world.metric(/^pixii_router_event_gaps_total\{.*cause="lost-last"/), 1);
});

Deno.test("a router that starts late asks for what it missed", async () => {
  await using world = new RouterWorld();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 4));
  worker.store(hashesOf(2, 4));
  await world.clock.advance(100);
  await world.router();
  await world.until(() => world.index().sources[0]?.number === 2, "the snapshot");
  assert.equal(world.index().blocks, 8);
});

Deno.test("snapshots that fail are tried again; a worker without one counts as empty and still works", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  worker.script.refuse = fail("engine_failed", "not now").error;
  worker.script.losesBatches = true;
  worker.store(hashesOf(1, 4));
  const source = () => world.index().sources[0];
  await world.until(() => source().state === "degraded", "the router to give up");
  assert.equal(worker.asked.snapshots, 6);
  assert.equal((await world.placed()).worker, 1);
  assert.ok(world.host.lines.some((line) => /no snapshot to be had/.test(line.message)));
  worker.script.refuse = undefined;
  worker.script.corrupts = true;
  await world.clock.advance(6_000);
  assert.ok(await world.metric(/^pixii_router_snapshots_total\{.*result="artifact_invalid"/) > 0);
  worker.script.corrupts = false;
  await world.until(() => source().state === "exact", "the snapshot");
  assert.equal(source().blocks, 4);
});

Deno.test("an index over its bytes forgets cold blocks, says so, and stays within them", async () => {
  await using world = await RouterWorld.open("--index-max-bytes", "1MiB");
  await world.worker(1);
  const [worker] = world.workers;
  for (let seed = 1; seed <= 60; seed++) worker.store(hashesOf(seed, 4_000));
  await world.clock.advance(10);
  const { bytes, capacityBytes, blocks, evictedBlocks, sources } = world.index();
  assert.equal(blocks + evictedBlocks, 60 * 4_000);
  assert.ok(evictedBlocks > 100_000 && blocks > 60_000, `${blocks} of ${evictedBlocks} stay`);
  assert.ok(bytes <= capacityBytes);
  assert.equal(await world.metric(/^pixii_router_index_evicted_blocks/), evictedBlocks);
  // What the worker removes later and the index forgot is no contradiction.
  for (let seed = 1; seed <= 60; seed++) worker.remove(hashesOf(seed, 100));
  await world.clock.advance(10);
  assert.deepEqual([sources[0].state, world.index().sources[0].state], ["exact", "exact"]);
  assert.equal((await world.placed()).worker, 1);
});
