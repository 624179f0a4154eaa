import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decode,
  encode,
  encodeKvEvents,
  encodeRecord,
  keys,
  modelHashOf,
  subjects,
} from "@pixii/wire";
import type { Control } from "@pixii/wire";
import { VirtualClock } from "@pixii/runtime";
import { joinPieces, sourceMessages } from "./core/replica.ts";
import { noTruthRules } from "./core/truth.ts";
import { readBundle, writeBundle } from "./snapshot_bundle.ts";
import { RouterWorld } from "./testing/router_world.ts";
import {
  batchOf,
  cardOf,
  hashesOf,
  instanceOf,
  modelHash,
  reportOf,
  routeOf,
  storedOf,
} from "./testing/samples.ts";
import { stateOf } from "./testing/state_of.ts";

const names = subjects("default");
const rules = { audit: { everyMs: 50, blocks: 4 }, approx: { ttlMs: 500, blocks: 24 } };

Deno.test("events of unknown workers, of another model and block size are counted and change nothing", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 4));
  const say = (number: number, more: Partial<Parameters<typeof batchOf>[1]>) => {
    const events = [storedOf(hashesOf(2, 4), 50)];
    const batch = batchOf(number, { number: 2, events, ...more });
    world.bus.publish(names.kvEvents(instanceOf(number)), encodeKvEvents(batch));
  };
  say(7, {});
  say(1, { model: modelHashOf("other") });
  say(1, { dpRank: 3 });
  say(1, { blockSize: 32 });
  await world.clock.advance(10);
  assert.equal(world.index().blocks, 4);
  const batches = /^pixii_router_event_batches_total\{.*result=/;
  assert.equal(await world.metric(new RegExp(`${batches.source}"unknown-owner"`)), 3);
  assert.equal(await world.metric(new RegExp(`${batches.source}"skipped"`)), 1);
});

Deno.test("a card whose hash is not that of its model's name is passed over and counted", async () => {
  await using world = await RouterWorld.open();
  const { registry } = world.host.connect();
  const card = cardOf(5, { name: "another" });
  await registry.put(keys("default").model(modelHash, instanceOf(5)), encodeRecord("model", card));
  await registry.put(keys("default").model(modelHash, instanceOf(6)), "{");
  await world.clock.advance(1);
  assert.equal(world.ranks().length, 0);
  assert.equal(await world.metric(/^pixii_router_bad_messages_total\{.*kind="card"/), 2);
});

Deno.test("a publisher that restarts with a new epoch counts from zero; late words of the old one are passed over", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  for (let i = 0; i < 5; i++) worker.store(hashesOf(i, 2));
  await world.clock.advance(1);
  const subject = names.kvEvents(instanceOf(1));
  const epoch = instanceOf(99);
  const fresh = batchOf(1, { number: 1, epoch, events: [storedOf(hashesOf(9, 3), 1)] });
  world.bus.publish(subject, encodeKvEvents(fresh));
  worker.script.isSilent = true;
  worker.store(hashesOf(6, 2));
  await world.clock.advance(1);
  const [source] = world.index().sources;
  assert.deepEqual([source.epoch, source.number, source.blocks], [epoch, 1, 3]);
  assert.equal(await world.metric(/^pixii_router_event_batches_total\{.*result="old-epoch"/), 1);
});

Deno.test("a publisher that counts back under its old epoch is seen within 3 s, and what is gone counts no more", async () => {
  await using world = await RouterWorld.open();
  const worker = await world.worker(1);
  for (let i = 0; i < 20; i++) worker.store(hashesOf(1, 8));
  await world.clock.advance(2_000);
  worker.countBack();
  worker.store(hashesOf(2, 2));
  const startMs = world.clock.nowMs();
  await world.until(() => world.index().blocks === 2, "the resync");
  assert.ok(world.clock.nowMs() - startMs < 3_000, `${world.clock.nowMs() - startMs} ms`);
  assert.equal((await world.placed({ seed: 1, blocks: 8 })).device, 0);
  assert.equal(await world.metric(/^pixii_router_counted_back_total/), 1);
  worker.store(hashesOf(3, 2));
  await world.clock.advance(1);
  assert.equal(world.index().sources[0].number, 2);
});

Deno.test("two workers with one id cost credit, not correctness of the books", async () => {
  await using world = await RouterWorld.open("--audit-every", "500ms");
  const one = await world.worker(1);
  const two = await world.worker(1);
  for (let i = 0; i < 60; i++) {
    one.store(hashesOf(i % 3, 4));
    two.store(hashesOf(3 + i % 3, 4));
    if (i % 4 === 0) two.remove(hashesOf(3, 4));
    await world.ask({ seed: i % 6 });
    await world.clock.advance(100);
  }
  assert.equal(world.ranks().length, 1);
  const { blocks, sources } = world.index();
  assert.equal(sources.length, 1);
  assert.ok(blocks <= 4 * 120, `${blocks} blocks`);
  assert.equal((await world.placed()).worker, 1);
});

Deno.test("an hour that passes at once ends what has its time, and nothing else", async () => {
  await using world = await RouterWorld.open();
  const eventless = await world.worker(1, { kvEvents: false });
  await world.worker(2);
  await world.ask({ hints: { allow: [eventless.card.instance] } });
  const supposed = /^pixii_router_approx_blocks/;
  assert.equal(await world.metric(supposed), 4);
  await world.clock.advance(3_600_000);
  assert.equal(await world.metric(supposed), 0);
  assert.equal(world.ranks().every((rank) => rank.state === "live"), true);
});

Deno.test("an engine without events is supposed to hold what it was sent, until its events come", async () => {
  await using world = await RouterWorld.open();
  for (const number of [1, 2]) await world.worker(number, { kvEvents: false });
  const first = await world.placed();
  const { instance } = world.workers[first.worker - 1].card;
  const again = await world.placed({ hints: { allow: [instance] } });
  assert.deepEqual(again, { worker: first.worker, device: 4 });
  assert.equal(world.ranks()[first.worker - 1].trust.isSupposed, true);
  const quiet = await world.worker(3, { kvEvents: undefined });
  const only = { seed: 8, hints: { allow: [quiet.card.instance] } };
  for (let i = 0; i < 2; i++) assert.equal((await world.placed(only)).device, 0);
  quiet.script.report = { stepCount: 64 };
  await world.clock.advance(300);
  await world.placed(only);
  assert.equal((await world.placed(only)).device, 4);
  quiet.store(hashesOf(8, 1));
  await world.clock.advance(1);
  assert.equal((await world.placed(only)).device, 1);
  assert.equal(await world.metric(/^pixii_router_approx_changes_total\{.*why="replaced"/), 4);
});

/** One input of a router's state, at any time. */
const input = fc.record({
  op: fc.constantFrom(
    "route",
    "report",
    "batch",
    "swap",
    "restore",
    "sweep",
    "tick",
    "audit",
    "card",
  ),
  worker: fc.integer({ min: 1, max: 4 }),
  number: fc.integer({ min: 0, max: 8 }),
  epoch: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer({ min: 1, max: 3 }),
  removes: fc.boolean(),
  atMs: fc.oneof(fc.integer({ min: -1_000, max: 60_000 }), fc.constantFrom(0, 1e12, -1e12)),
});

Deno.test("whatever comes, in whatever order, at whatever time: nothing throws and the books add up", () => {
  fc.assert(
    fc.property(fc.array(input, { minLength: 10, maxLength: 120, size: "max" }), (inputs) => {
      const state = stateOf(3, { truth: rules, indexBytes: 2 ** 22 });
      let pieces = 1;
      for (const { op, worker, number, epoch, seed, removes, atMs } of inputs) {
        const events = removes
          ? [{ op: "removed" as const, numbers: Uint32Array.of(seed, seed + 1, 77) }]
          : [storedOf(hashesOf(seed, 4), 4 * seed)];
        const batch = batchOf(worker, { number, epoch: instanceOf(epoch), events });
        const key = [...state.streams.all()][worker - 1]?.key ?? "none";
        if (op === "route") {
          const decided = state.route(modelHash, routeOf(pieces++, { seed }), {
            nowMs: atMs,
            draw: () => 0,
          });
          assert.ok(decided.ok || decided.error.code === "no_worker");
        } else if (op === "report") {
          const stepCount = removes ? 100 : 0;
          state.report(reportOf(worker, { kvEventNumber: number, stepCount }), atMs);
        } else if (op === "batch") state.events(batch, atMs);
        else if (op === "swap") state.swap(key, batch, atMs);
        else if (op === "restore") state.truth.restored.put(batch, removes ? "peer" : "file", atMs);
        else if (op === "sweep") state.sweep(atMs);
        else if (op === "tick") state.streams.tick(atMs);
        else if (op === "card") {
          state.fleet.put(
            `k${worker}`,
            cardOf(worker, { kvEvents: removes ? undefined : false }),
            atMs,
          );
        } else {
          for (const ask of state.truth.audits.takeAsks(2)) {
            const held = Uint8Array.from(ask.asked.lo, () => removes ? 1 : 0);
            state.truth.audits.answered(ask, { epoch: instanceOf(epoch), number, held }, atMs);
          }
          state.truth.takeResults(atMs);
          state.fleet.doubtAgain();
        }
        state.checkIntegrity();
        assert.ok(state.truth.approx.blocks <= rules.approx.blocks);
      }
    }),
    { numRuns: 60 },
  );
});

async function bundleOf(): Promise<Uint8Array> {
  const state = stateOf(2, { truth: noTruthRules });
  for (const worker of [1, 2]) {
    state.events(batchOf(worker, { number: 1, events: [storedOf(hashesOf(worker, 6), 1)] }), 0);
  }
  const { requestId } = routeOf(1);
  const place = { model: modelHash, worker: { instance: instanceOf(1), dpRank: 0 } };
  const stream = { requestId, attempt: 0, leg: 0 };
  state.entry({
    op: "book",
    ...stream,
    ...place,
    frontend: instanceOf(9),
    prefillTokens: 5,
    blocks: 2,
  }, 0);
  state.entry({ op: "complete", ...stream, attempt: 1 }, 0);
  return await writeBundle(state, new VirtualClock(), { withLedger: true });
}

Deno.test("a bundle says what was put in; each cut and each flipped byte gives an error or less, never a throw", async () => {
  const bytes = await bundleOf();
  const whole = readBundle(bytes);
  assert.ok(whole.ok);
  assert.deepEqual(whole.value.entries.map((entry) => entry.op), ["book", "complete"]);
  assert.deepEqual(whole.value.sources.map((source) => source.number), [1, 1]);
  for (let at = 0; at < bytes.length; at++) {
    const cut = readBundle(bytes.subarray(0, at));
    assert.ok(!cut.ok || cut.value.sources.length + cut.value.entries.length < 4);
    const flipped = bytes.slice();
    flipped[at] ^= 0xff;
    const read = readBundle(flipped);
    assert.ok(read.ok || read.error.code === "decode_error");
    if (!read.ok) continue;
    const state = stateOf(2);
    for (const source of read.value.sources) state.truth.restored.put(source, "peer", 0);
    for (const worker of [1, 2]) state.report(reportOf(worker, { kvEventNumber: 1 }), 1);
    state.checkIntegrity();
  }
});

Deno.test("pieces of one source that contradict each other are no snapshot", () => {
  const [a, b] = [1, 2].map((number) => batchOf(1, { number, events: [] }));
  assert.deepEqual(joinPieces([a, b]), []);
  assert.equal(joinPieces([a, a, batchOf(2, { number: 1, events: [] })]).length, 2);
  const state = stateOf(1);
  const [opened] = state.streams.all();
  assert.equal(sourceMessages(opened).length, 1);
});

Deno.test("a flood of audits and of words nobody knows is refused, one by one", async () => {
  await using world = await RouterWorld.open();
  const subject = names.control(world.routers[0].instance);
  const empty = { hi: new Uint8Array(), lo: new Uint8Array() };
  const audit: Control = { op: "audit", model: modelHash, dpRank: 0, tier: "device", ...empty };
  const asking = Array.from(
    { length: 300 },
    () => world.bus.request(subject, encode("control", audit), { timeoutMs: 1_000 }),
  );
  await world.clock.advance(5);
  for (const reply of await Promise.all(asking)) {
    assert.ok(reply.ok);
    const refusal = decode("refusal", reply.value);
    assert.ok(refusal.ok && refusal.value.error.code === "not_found");
  }
});
