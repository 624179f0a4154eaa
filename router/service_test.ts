import assert from "node:assert/strict";
import {
  decode,
  encodeRecord,
  keys,
  limits,
  modelHashOf,
  subjects as subjectsOf,
} from "@pixii/wire";
import { startService } from "@pixii/runtime";
import type { Bus } from "@pixii/runtime";
import { routerSpec } from "./service.ts";
import { bookOf, factOf } from "./testing/ledger_entries.ts";
import { frontend, RouterWorld } from "./testing/router_world.ts";
import { configOf, hashesOf, instanceOf, modelHash, requestOf } from "./testing/samples.ts";

const subjects = subjectsOf("default");

Deno.test("router places requests by prefix, books them and shows why", async () => {
  await using world = await RouterWorld.open();
  for (const number of [1, 2, 3]) await world.worker(number);
  world.workers[1].store(hashesOf(5, 3));
  await world.clock.advance(1);
  const { request, reply } = await world.ask({ seed: 5, hints: { priority: 7 } });
  assert.ok(reply.kind === "decision");
  assert.deepEqual([reply.worker.instance, reply.blockSize], [instanceOf(2), 16]);
  assert.deepEqual(reply.overlap, { device: 3, host: 0, disk: 0 });
  assert.equal(reply.record.byteLength, 0);
  assert.deepEqual(world.ranks()[1].ledger, {
    ...{ bookings: 1, prefillTokens: 16, blocks: 4, otherRequests: 0 },
  });
  const [kept] = world.decisions();
  assert.equal(kept.record.router, world.routers[0].instance);
  assert.deepEqual([kept.hints?.priority, kept.frontend], [7, frontend]);
  assert.equal(world.decisions(`?request=${request.requestId}`).length, 1);
  assert.equal(world.decisions(`?request=${requestOf(999)}`).length, 0);
  assert.equal(world.decisions("?request=nonsense").length, 0);
  assert.equal(world.decisions("?limit=0").length, 0);
  assert.equal(await world.metric(/^pixii_router_decisions_total\{.*policy="kv"/), 1);
  assert.equal(await world.metric(/^pixii_router_overlap_blocks_total\{.*tier="device"/), 3);
  assert.equal(await world.metric(/^pixii_router_index_blocks\{/), 3);
  const { status, details } = world.routers[0].health();
  assert.equal(status, "ready");
  assert.deepEqual(details.models, { "org/sample": { workers: 3, live: 3 } });
  assert.deepEqual(details.index, {
    ...{ blocks: 3, capacityBytes: 536_870_912, new: 0, exact: 3, behind: 0, degraded: 0 },
  });
});

Deno.test("a worker that falls silent gets no work after 750 ms, and has it again when heard", async () => {
  await using world = await RouterWorld.open();
  for (const number of [1, 2]) await world.worker(number);
  const [one, two] = world.workers;
  one.store(hashesOf(1, 4));
  await world.clock.advance(500);
  assert.equal((await world.placed()).worker, 1);
  one.script.isSilent = true;
  await world.clock.advance(1_000);
  assert.equal(world.ranks()[0].state, "suspect");
  assert.equal((await world.placed()).worker, 2);
  two.script.isSilent = true;
  await world.clock.advance(3_000);
  const error = await world.refused();
  assert.deepEqual([error.code, error.retryAfterMs], ["no_worker", 250]);
  assert.match(error.message, /2 silent/);
  assert.equal(world.ranks()[0].state, "dead");
  one.script.isSilent = false;
  await world.clock.advance(250);
  assert.equal((await world.placed()).worker, 1);
});

Deno.test("silence is not counted while the bus was away", async () => {
  const world = new RouterWorld();
  const connection = world.host.connect();
  const router = startService(routerSpec, configOf(), { ...world.host, ...connection });
  await world.clock.advance(0);
  world.routers.push(await router);
  await using _world = world;
  await world.worker(1);
  const bus = connection.bus as Bus & { disconnect(): void; reconnect(): void };
  bus.disconnect();
  await world.clock.advance(10_000);
  bus.reconnect();
  await world.clock.advance(1);
  assert.equal((await world.placed()).worker, 1);
});

Deno.test("hung and draining workers get no work", async () => {
  await using world = await RouterWorld.open("--liveness-hung-step", "10s");
  for (const number of [1, 2, 3]) await world.worker(number);
  world.workers[0].script.report = { stepAgeMs: 10_000 };
  world.workers[1].script.report = { draining: true };
  await world.clock.advance(300);
  assert.deepEqual(world.ranks().map((rank) => rank.state), ["hung", "draining", "live"]);
  assert.equal((await world.placed()).worker, 3);
  assert.equal(await world.metric(/^pixii_router_workers\{.*state="draining"/), 1);
});

Deno.test("a model is routed from its first card to its last", async () => {
  await using world = await RouterWorld.open();
  const other = modelHashOf("other");
  assert.equal((await world.refused()).code, "no_responders");
  const one = await world.worker(1);
  await world.worker(2, { name: "other", hash: other });
  assert.equal((await world.placed()).worker, 1);
  const { request, reply } = await world.ask({}, other);
  assert.ok(reply.kind === "decision" && reply.worker.instance === instanceOf(2));
  assert.equal(world.recordOf(request).model, "other");
  one.script.isSilent = true;
  await one.leave();
  await world.clock.advance(1_250);
  assert.equal((await world.refused()).code, "no_responders");
  assert.equal((await world.ask({}, other)).reply.kind, "decision");
});

Deno.test("a card that flickers in the registry costs nothing", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 4));
  await worker.leave();
  await world.clock.advance(2_500);
  assert.equal((await world.placed()).worker, 1);
  assert.equal(world.index().blocks, 4);
  const { registry } = world.host.connect();
  const key = keys("default").model(modelHash, worker.card.instance);
  await registry.put(key, encodeRecord("model", worker.card));
  await world.clock.advance(10_000);
  assert.equal(world.index().blocks, 4);
  await registry.remove(key);
  await world.clock.advance(4_000);
  assert.equal(world.index().blocks, 0);
});

Deno.test("what cannot be read is refused or passed over, and counted", async () => {
  await using world = await RouterWorld.open();
  await world.worker(1);
  for (const subject of [subjects.ledger, subjects.load(frontend), subjects.kvEvents(frontend)]) {
    world.bus.publish(subject, new Uint8Array([1, 2, 3]));
  }
  const asking = world.bus.request(subjects.route(modelHash), new Uint8Array([1, 1]), {
    timeoutMs: 100,
  });
  await world.clock.advance(1);
  const bytes = await asking;
  assert.ok(bytes.ok);
  const reply = decode("routeReply", bytes.value);
  assert.ok(reply.ok && reply.value.kind === "refused");
  assert.equal(reply.value.error.code, "decode_error");
  assert.equal((await world.refused({ remainingMs: 0 })).code, "timeout");
  for (const kind of ["ledger", "load", "kv"]) {
    const pattern = new RegExp(`^pixii_router_bad_messages_total\\{.*kind="${kind}"`);
    assert.equal(await world.metric(pattern), 1);
  }
  assert.equal(await world.metric(/^pixii_router_refusals_total\{.*code="timeout"/), 1);
});

Deno.test("a router that drains answers no more requests and leaves no timer", async () => {
  const world = await RouterWorld.open();
  const worker = await world.worker(1);
  assert.equal((await world.placed()).worker, 1);
  const stopping = world.routers[0].stop();
  await world.clock.advance(100);
  await stopping;
  assert.equal((await world.refused()).code, "no_responders");
  await worker.stop();
  await world.host[Symbol.asyncDispose]();
  assert.equal(world.clock.waiting, 0);
});

/** Everything that crosses bus and registry, and every view, while a router serves faulty workers for 20 s. */
async function recordRun(seed: number): Promise<string> {
  const world = new RouterWorld(seed);
  const { clock, host } = world;
  const seen: string[] = [];
  const listen = (subject: string) =>
    world.bus.subscribe(subject, (message) => {
      seen.push(`${clock.nowMs()} ${message.subject} ${message.payload.toHex()}`);
    });
  for (const subject of [subjects.allLoad, subjects.allKvEvents, subjects.ledger]) listen(subject);
  await world.router("--kv-temperature", "0.5");
  for (const number of [1, 2, 3]) await world.worker(number);
  const { chance } = host;
  for (let i = 0; i < 200; i++) {
    const worker = world.workers[chance.u32() % 3];
    worker.script.losesBatches = chance.float() < 0.2;
    worker.script.isSilent = chance.float() < 0.1;
    const list = hashesOf(chance.u32() % 6, 1 + chance.u32() % 6);
    if (chance.float() < 0.6) worker.store(list);
    else worker.remove(list);
    const { request, reply } = await world.ask({ seed: chance.u32() % 6 });
    seen.push(`${clock.nowMs()} ${JSON.stringify(reply)}`);
    if (reply.kind === "decision" && chance.float() < 0.8) {
      await world.tell(bookOf(request, reply.worker), factOf("complete", request));
    }
    await clock.advance(limits.loadEveryMs * chance.float());
    seen.push(JSON.stringify([world.ranks(), world.decisions("?limit=1")]));
  }
  seen.push(JSON.stringify(host.lines));
  await world[Symbol.asyncDispose]();
  return seen.join("\n");
}

Deno.test("a router under the virtual clock and one seed says the same bytes every time", async () => {
  const first = await recordRun(42);
  assert.ok(first.split("\n").length > 400);
  assert.equal(await recordRun(42), first);
  assert.notEqual(await recordRun(43), first);
});
