import assert from "node:assert/strict";
import type { InstanceId } from "@pixii/wire";
import { MemoryByteNetwork, recordingLog, seededChance, systemClock } from "@pixii/runtime";
import type { PoolLayout } from "../core/pool_client.ts";
import { FaultyNetwork } from "../testing/faulty_network.ts";
import { blockBytes, ScriptedGiver, scriptedKind } from "../testing/scripted_giver.ts";
import { untilTrue } from "./block_transport_contract.ts";
import { newPeerCounts } from "./peer_counts.ts";
import { PeerSource } from "./peer_source.ts";
import { StreamTransport } from "./stream_transport.ts";
import { transferLimits } from "./transfer_limits.ts";
import type { TransferLimits } from "./transfer_limits.ts";

const a = "00000000000000aa" as InstanceId;
const b = "00000000000000bb" as InstanceId;
const layout: PoolLayout = { hi: 3, lo: 4, blockSize: 64, slotPages: 3, size: 0 };
const clock = systemClock();

/** Peer `a` gives, `b` asks, faults between them. */
async function openWorld(limits: Partial<TransferLimits> = {}) {
  const log = recordingLog();
  const network = new FaultyNetwork(new MemoryByteNetwork(), clock);
  const bounds = { ...transferLimits, ...limits };
  const transport = (kvbm: InstanceId) =>
    new StreamTransport({
      ...{ network, kvbm, namespace: "default", secret: "", clock, log, limits: bounds },
      chance: seededChance(7),
    });
  const giver = new ScriptedGiver();
  for (let lo = 1; lo <= 40; lo++) giver.has.set(lo, blockBytes(lo));
  const opened = await transport(a).listen("127.0.0.1:0", giver);
  assert.ok(opened.ok);
  const door = opened.value;
  const counts = newPeerCounts();
  const addresses = new Map<InstanceId, string>([[a, door.address]]);
  const source = new PeerSource({
    ...{ transport: transport(b), counts, limits: bounds, clock, log },
    addressOf: (kvbm) => addresses.get(kvbm),
  });
  const fetch = async (los: readonly number[], from: InstanceId | undefined = a) => {
    const views = los.map(() => new Uint8Array(scriptedKind.slotBytes));
    const ends: string[] = [];
    const all = Promise.withResolvers<void>();
    let left = los.length;
    source.fetch({
      ...{ layout, from, blocks: los.map((lo, at) => ({ hi: 0, lo, view: views[at] })) },
      done: (at, end) => {
        assert.equal(ends[at], undefined, "told once");
        ends[at] = end;
        if (--left === 0) all.resolve();
      },
    });
    await all.promise;
    return { ends, views };
  };
  return {
    ...{ network, giver, door, counts, source, fetch, addresses },
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
      assert.equal(giver.leases.size, 0, "nothing stays kept");
    },
  };
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

Deno.test("PeerSource brings blocks of a peer that it is told of; who it does not know is lost", async () => {
  await using world = await openWorld();
  const { source, fetch, counts, giver } = world;
  const routes = Uint32Array.of(1, 0, 2, 0);
  assert.deepEqual([...source.holds(layout, routes, undefined)], [0, 0]);
  assert.deepEqual([...source.holds(layout, routes, b)], [0, 0]);
  assert.deepEqual([...source.holds(layout, routes, a)], [1, 1]);
  const { ends, views } = await fetch(range(40));
  assert.deepEqual(ends, Array(40).fill("landed"));
  assert.deepEqual(views[39].subarray(0, 10_384), giver.has.get(40));
  assert.deepEqual((await fetch([1], b)).ends, ["lost"]);
  assert.deepEqual((await fetch([99])).ends, ["lost"]);
  assert.deepEqual([counts.pulledBlocks, counts.failed.gone, counts.failed.unreachable], [
    40,
    1,
    1,
  ]);
  const [facts] = source.facts();
  assert.ok(facts.bytesPerSecond > 1e6 && facts.queuedBytes === 0);
});

Deno.test("a cut link goes on at the next missing block; what was there is not asked for again", async () => {
  await using world = await openWorld();
  const { network, fetch, counts } = world;
  network.faults.cutAfterBytes = 205_000;
  const { ends } = await fetch(range(40));
  assert.deepEqual(ends, Array(40).fill("landed"));
  assert.ok(network.connects >= 3, `${network.connects} links`);
  assert.equal(counts.pulledBlocks, 40);
  assert.ok(counts.resumed >= 20 && counts.resumed < 80, `${counts.resumed}`);
  assert.equal(counts.failed.cut, 0);
});

Deno.test("a link that is cut again and again: what it did not bring is lost, counted as cut", async () => {
  await using world = await openWorld();
  world.network.faults.cutAfterBytes = 5_000;
  const { ends } = await world.fetch(range(4));
  assert.deepEqual(ends, Array(4).fill("lost"));
  assert.equal(world.counts.failed.cut, 4);
});

Deno.test("bytes damaged on the way: a block is lost, a message ends the link; nothing wrong lands", async () => {
  for (const flipAtByte of [30, 200, 5_000, 30_000, 60_000]) {
    await using world = await openWorld();
    world.network.faults.flipAtByte = flipAtByte;
    const { ends, views } = await world.fetch(range(8));
    for (let i = 0; i < 8; i++) {
      if (ends[i] !== "landed") continue;
      assert.deepEqual(views[i].subarray(0, 10_384), blockBytes(i + 1), `byte ${flipAtByte}`);
    }
    const { damaged, unreachable, cut } = world.counts.failed;
    assert.equal(ends.filter((end) => end === "lost").length, damaged + unreachable + cut);
  }
});

Deno.test("a slow link slows the giver and what is measured of it; then computing is cheaper", async () => {
  await using world = await openWorld();
  const { network, source, fetch, counts } = world;
  const work = { blocks: 10, computeMs: 20 };
  assert.equal(source.choose(a, layout, work).verdict, "pull");
  network.faults.bytesPerSecond = 400_000;
  assert.deepEqual((await fetch(range(12))).ends, Array(12).fill("landed"));
  for (let i = 0; i < 3; i++) await fetch(range(12));
  const [{ bytesPerSecond }] = source.facts();
  assert.ok(bytesPerSecond < 3e6, `${bytesPerSecond}`);
  const choice = source.choose(a, layout, work);
  assert.equal(choice.verdict, "compute");
  assert.ok(choice.pullMs > 20);
  assert.deepEqual(counts.chosen, { pull: 1, compute: 1 });
});

Deno.test("a giver that stalls is cut after its time, one that is down is left alone for a while", async () => {
  await using world = await openWorld({ stallMs: 100 });
  const { network, giver, source, fetch, counts } = world;
  giver.has.set(50, "coming");
  assert.deepEqual((await fetch([50])).ends, ["lost"]);
  assert.equal(counts.failed.cut, 1);
  network.faults.isDown = true;
  await untilTrue("the link is over", () => giver.leases.size === 0);
  assert.deepEqual((await fetch([1])).ends, ["lost"]);
  assert.deepEqual([...source.holds(layout, Uint32Array.of(1, 0), a)], [0]);
  assert.equal(counts.failed.unreachable, 1);
  network.faults.isDown = false;
  await untilTrue(
    "it is tried again",
    () => source.holds(layout, Uint32Array.of(1, 0), a)[0] === 1,
  );
  assert.deepEqual((await fetch([1])).ends, ["landed"]);
});

Deno.test("a peer that says it has a block and sends another one: lost, counted as damaged", async () => {
  await using world = await openWorld();
  world.giver.has.set(1, blockBytes(2));
  assert.deepEqual((await world.fetch([1, 3])).ends, ["lost", "landed"]);
  assert.equal(world.counts.failed.damaged, 1);
});

Deno.test("a watch is taken up again behind a cut, and gone when the peer is", async () => {
  await using world = await openWorld();
  const { network, giver, source, addresses } = world;
  const [there, gone]: number[][] = [[], []];
  network.faults.cutAfterBytes = 150;
  const watch = source.watch({
    ...{ layout, from: a, routes: Uint32Array.of(60, 0, 61, 0) },
    there: (places) => there.push(...places),
    gone: (places) => gone.push(...places),
  });
  await untilTrue("it is asked", () => giver.leases.size === 1);
  giver.land(60);
  await untilTrue("the first is there", () => there.length > 0);
  network.faults.cutAfterBytes = undefined;
  await untilTrue(
    "it is asked again",
    () => network.connects >= 2 || gone.length > 0 || there.length > 0,
  );
  giver.land(61);
  await untilTrue("both are there", () => there.length + gone.length === 2);
  assert.deepEqual(there.toSorted(), [0, 1]);
  watch[Symbol.dispose]();
  addresses.delete(a);
  source.forget(a);
  source.watch({
    ...{ layout, from: a, routes: Uint32Array.of(62, 0) },
    there: () => assert.fail("nobody is there"),
    gone: (places) => gone.push(...places),
  });
  assert.deepEqual(gone, [0]);
});
