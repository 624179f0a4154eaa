import assert from "node:assert/strict";
import { streamKeyText } from "@pixii/wire";
import type { InstanceId, RouteRequest } from "@pixii/wire";
import { bookOf, factOf } from "./testing/ledger_entries.ts";
import { RouterWorld } from "./testing/router_world.ts";
import { hashesOf, instanceOf } from "./testing/samples.ts";

Deno.test("a booking lasts from the decision to the frontend's complete", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  await world.frontend();
  const { request, reply } = await world.ask();
  assert.ok(reply.kind === "decision");
  const ledger = () => {
    const { bookings, prefillTokens, blocks } = world.ranks()[0].ledger;
    return [bookings, prefillTokens, blocks];
  };
  assert.deepEqual(ledger(), [1, 64, 4]);
  await world.tell(bookOf(request, reply.worker));
  worker.streams.add(streamKeyText(request));
  await world.clock.advance(6_000);
  assert.deepEqual(ledger(), [1, 64, 4]);
  await world.tell(factOf("first-token", request));
  assert.deepEqual(ledger(), [1, 0, 4]);
  worker.streams.clear();
  await world.tell(factOf("complete", request), bookOf(request, reply.worker));
  assert.deepEqual(ledger(), [0, 0, 0]);
});

Deno.test("a decision whose answer was lost is dropped after 5 s, a lost complete by the reports", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  await world.frontend();
  const first = await world.ask();
  // Its reports would prove the booking lost even earlier.
  worker.script.isSilent = true;
  await world.clock.advance(5_500);
  assert.equal(world.ranks()[0].ledger.bookings, 0);
  assert.equal(await world.metric(/^pixii_router_ledger_dropped_total\{.*cause="unconfirmed"/), 1);
  worker.script.isSilent = false;
  await world.clock.advance(250);
  const { request } = await world.ask();
  assert.notEqual(request.requestId, first.request.requestId);
  await world.tell(bookOf(request, { instance: instanceOf(1), dpRank: 0 }));
  await world.until(() => world.ranks()[0].ledger.bookings === 0, "the reports");
  assert.equal(await world.metric(/^pixii_router_ledger_dropped_total\{.*cause="drift"/), 1);
});

Deno.test("the bookings of a frontend die with it", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  const registration = await world.frontend();
  const { request, reply } = await world.ask();
  assert.ok(reply.kind === "decision");
  await world.tell(bookOf(request, reply.worker));
  worker.streams.add(streamKeyText(request));
  await world.clock.advance(20_000);
  assert.equal(world.ranks()[0].ledger.bookings, 1);
  await registration[Symbol.asyncDispose]();
  await world.clock.advance(2_500);
  assert.equal(world.ranks()[0].ledger.bookings, 1);
  await world.clock.advance(1_000);
  assert.equal(world.ranks()[0].ledger.bookings, 0);
});

Deno.test("two routers share the work and agree on the ledger", async () => {
  await using world = await RouterWorld.open();
  await world.router();
  for (const number of [1, 2, 3]) await world.worker(number);
  await world.frontend();
  world.workers[2].store(hashesOf(3, 4));
  await world.clock.advance(1);
  const live: RouteRequest[] = [];
  const routers = new Set<InstanceId>();
  for (let i = 0; i < 40; i++) {
    const { request, reply } = await world.ask({ seed: i % 5 });
    assert.ok(reply.kind === "decision", JSON.stringify(reply));
    routers.add(world.recordOf(request).router);
    const worker = world.workers[parseInt(reply.worker.instance, 16) - 1];
    await world.tell(bookOf(request, reply.worker, 64 - 16 * reply.overlap.device));
    worker.streams.add(streamKeyText(request));
    live.push(request);
    if (i % 3 === 0) await world.tell(factOf("first-token", request));
    if (i % 2 === 0) {
      const [ended] = live.splice(i % live.length, 1);
      for (const one of world.workers) one.streams.delete(streamKeyText(ended));
      await world.tell(factOf("complete", ended));
    }
  }
  assert.equal(routers.size, 2);
  await world.clock.advance(1_000);
  const ledgers = [0, 1].map((router) => world.ranks(router).map((rank) => rank.ledger));
  assert.deepEqual(ledgers[0], ledgers[1]);
  assert.equal(ledgers[0].reduce((sum, one) => sum + one.bookings, 0), live.length);
  assert.ok(ledgers[0].every((one) => one.otherRequests === 0));
});
