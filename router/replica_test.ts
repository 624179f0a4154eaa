import assert from "node:assert/strict";
import { decode, encode, encodeRecord, keys, limits, streamKeyText, subjects } from "@pixii/wire";
import type { LedgerEntry, RouteRequest, WorkerRank } from "@pixii/wire";
import { seededChance } from "@pixii/runtime";
import { hashesOf, instanceOf, modelHash } from "./testing/samples.ts";
import { frontend, RouterWorld, workerOf } from "./testing/router_world.ts";

const control = subjects("default").control;

function bookOf(request: RouteRequest, worker: WorkerRank): LedgerEntry {
  const { requestId, attempt, leg } = request;
  return {
    ...{ op: "book", requestId, attempt, leg, model: modelHash, worker, frontend },
    ...{ prefillTokens: 64, blocks: 4 },
  };
}

function factOf(op: "first-token" | "complete", request: RouteRequest): LedgerEntry {
  const { requestId, attempt, leg } = request;
  return { op, requestId, attempt, leg };
}

/** Stores, removals, decisions and ledger entries for a while. */
async function churn(world: RouterWorld, seed: number, steps = 60): Promise<void> {
  const chance = seededChance(seed);
  for (let i = 0; i < steps; i++) {
    const worker = world.workers[chance.u32() % world.workers.length];
    const list = hashesOf(chance.u32() % 5, 1 + chance.u32() % 8);
    if (chance.float() < 0.7) worker.store(list);
    else worker.remove(list);
    const { request, reply } = await world.ask({ seed: chance.u32() % 5 });
    assert.ok(reply.kind === "decision", JSON.stringify(reply));
    await world.tell(bookOf(request, reply.worker));
    const { streams } = world.workers[parseInt(reply.worker.instance, 16) - 1];
    streams.add(streamKeyText(request));
    if (chance.float() < 0.7) await world.tell(factOf("first-token", request));
    if (chance.float() < 0.4) continue;
    await world.tell(factOf("complete", request));
    streams.delete(streamKeyText(request));
  }
}

const inStep = (world: RouterWorld) => {
  const [a, b] = [world.replica(0), world.replica(1)];
  return a.ledger === b.ledger && a.index === b.index;
};

Deno.test("two routers are in step under churn; one gone, the other serves; back, it is in step without asking a worker", async () => {
  await using world = new RouterWorld();
  await world.router();
  await world.router();
  await world.frontend();
  for (const number of [1, 2, 3]) await world.worker(number);
  await churn(world, 1);
  assert.ok(inStep(world));
  assert.deepEqual(world.replica(0).peers, [world.routers[1].instance]);
  const before = world.replica(0);
  assert.ok(before.bookings > 5 && before.blocks > 20, JSON.stringify(before));
  await world.stop(1);
  await churn(world, 2);
  assert.deepEqual(world.replica(0).peers, []);
  const startMs = world.clock.nowMs();
  await world.router();
  await world.until(() => inStep(world), "the routers to be in step");
  assert.ok(world.clock.nowMs() - startMs <= 500, `${world.clock.nowMs() - startMs} ms`);
  assert.equal(await world.metric(/^pixii_router_restores_total\{.*result="taken"/, 1), 1);
  assert.equal(await world.metric(/^pixii_router_restored_sources_total\{.*result="joined"/, 1), 3);
  assert.deepEqual(world.workers.map((worker) => worker.asked.snapshots), [0, 0, 0]);
  const views = [0, 1].map((router) => world.ranks(router).map(({ ledger }) => ledger));
  assert.deepEqual(views[0], views[1]);
  await churn(world, 3, 20);
  assert.ok(inStep(world));
});

Deno.test("a router that starts while events go on credits no block that is gone", async () => {
  await using world = new RouterWorld();
  await world.router();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 8));
  worker.store(hashesOf(2, 8));
  await world.clock.advance(10);
  const starting = world.router();
  worker.remove(hashesOf(1, 8));
  await starting;
  await world.clock.advance(300);
  assert.deepEqual([world.index(1).blocks, inStep(world)], [8, true]);
});

Deno.test("what takes several parts comes whole, and sessions come along", async () => {
  await using world = new RouterWorld();
  await world.router();
  const [one] = [await world.worker(1), await world.worker(2)];
  for (let seed = 0; seed < 300; seed++) one.store(hashesOf(seed, 200));
  await world.ask({ hints: { session: "a.b", allow: [instanceOf(2)] } });
  await world.clock.advance(300);
  await world.router();
  await world.until(() => inStep(world), "the routers to be in step");
  assert.equal(world.replica(1).blocks, 60_000);
  assert.equal(one.asked.snapshots, 0);
  await world.stop(0);
  const { reply } = await world.ask({ hints: { session: "a.b" } });
  assert.equal(workerOf(reply), instanceOf(2));
});

Deno.test("where no sibling tells anything of use, the workers are asked", async () => {
  await using world = new RouterWorld();
  const bad = instanceOf(0xbad);
  const { registry, bus } = world.host.connect();
  const record = {
    ...{ service: "router" as const, instance: bad, pid: 1, host: "", admin: "", version: "" },
    status: "ready" as const,
  };
  await registry.put(keys("default").instance("router", bad), encodeRecord("instance", record));
  const whole = new Uint8Array(5_000).fill(7);
  const digest = "00".repeat(32);
  bus.serve(control(bad), (payload) => {
    const message = decode("control", payload);
    assert.ok(message.ok);
    if (message.value.op === "peer-snapshot") {
      return encode("snapshotHead", { id: 1, epoch: bad, number: 1, totalBytes: 5_000, digest });
    }
    return encode("part", { offset: 0, totalBytes: 5_000, data: whole });
  });
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 4));
  await world.clock.advance(10);
  await world.router();
  await world.until(() => world.index().blocks === 4, "the worker's snapshot");
  assert.equal(worker.asked.snapshots, 1);
  const refused = /^pixii_router_restores_total\{.*result="artifact_invalid"/;
  assert.equal(await world.metric(refused), 1);
});

Deno.test("a flood of requests for peer snapshots costs one, and what is no such request is refused", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 400));
  await world.clock.advance(10);
  const subject = control(world.routers[0].instance);
  const ask = (message: Uint8Array) => world.bus.request(subject, message, { timeoutMs: 1_000 });
  const asking = Array.from(
    { length: 200 },
    () => ask(encode("control", { op: "peer-snapshot", from: instanceOf(9) })),
  );
  await world.clock.advance(20);
  const heads = (await Promise.all(asking)).map((reply) => {
    assert.ok(reply.ok);
    const head = decode("snapshotHead", reply.value);
    assert.ok(head.ok);
    return head.value;
  });
  assert.equal(new Set(heads.map((head) => head.digest)).size, 1);
  const [{ id, totalBytes }] = heads;
  assert.ok(totalBytes > 400 * 12 && totalBytes < limits.partBytes);
  const others = [
    new Uint8Array([1, 19, 0xc1]),
    encode("control", { op: "snapshot" }),
    encode("control", { op: "snapshot-part", id: id + 9, offset: 0 }),
    encode("control", { op: "snapshot-part", id, offset: totalBytes + 1 }),
  ].map(ask);
  await world.clock.advance(20);
  for (const reply of await Promise.all(others)) {
    assert.ok(reply.ok);
    assert.ok(decode("refusal", reply.value).ok);
  }
  assert.equal(await world.metric(/^pixii_router_bad_messages_total\{.*kind="control"/), 1);
});
