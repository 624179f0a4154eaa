import assert from "node:assert/strict";
import { decode, encode, encodeRecord, keys, modelHashOf, subjects } from "@pixii/wire";
import type { InstanceId, KvHeartbeat, ModelCard } from "@pixii/wire";
import { connectBus, findServer, parseConfig, startNats, startService } from "@pixii/runtime";
import { systemClock } from "@pixii/runtime";
import type { Bus } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import { BlockPool } from "@pixii/kvbm/core";
import { answerControl, FetchDesk, KvStreams, SnapshotShelf } from "@pixii/kvbm/parts";
import { routerInside, routerSchema, routerSpec } from "@pixii/router";
import { until } from "./until.ts";

const hasNats = findServer("nats-server") !== undefined;
if (!hasNats) console.log("skipped: KV heartbeats over NATS: install nats-server");

const names = subjects("default");
const model = modelHashOf("org/sample");
const kvbm = "00000000000000cb" as InstanceId;
const worker = "0000000000000001" as InstanceId;
const card: ModelCard = {
  ...{ name: "org/sample", hash: model, instance: worker, kvbm, engine: "sim", role: "both" },
  ...{ modelDigest: "d", contextLength: 8_192, blockSize: 16, totalBlocks: 64, dpSize: 1 },
  ...{ kvBytesPerToken: 1, layoutFingerprint: "", reuse: "blocks", tpSize: 1, slidingWindow: 0 },
  ...{ maxSeqs: 8, vocabSize: 10, artifactDigest: "", artifactBytes: 0, eosTokenIds: [] },
  createdAt: 0,
};

/** A block manager's events, heartbeats and snapshots on a bus that loses what `loses` says. */
function openTier(bus: Bus, loses: (subject: string) => boolean) {
  const stack = new DisposableStack();
  const clock = systemClock();
  const pool = new BlockPool({ segments: 16, segmentPages: 16 });
  const layout = pool.layout({ hi: 0, lo: 1, blockSize: 16, slotPages: 2 })!;
  const shelf = new SnapshotShelf(clock);
  const publish: Bus["publish"] = (subject, payload, options) =>
    loses(subject) ? { ok: true, value: undefined } : bus.publish(subject, payload, options);
  const streams = stack.use(
    new KvStreams({
      ...{ owner: kvbm, tier: "host", pool, clock, subjects: names, shelf },
      ...{ bus: { publish } as Partial<Bus> as Bus, onGone: () => {}, onBatch: () => {} },
    }),
  );
  const desk = stack.use(
    new FetchDesk({
      ...{ pool, clock, onChange: () => {}, tell: () => {} },
      view: (_, length) => new Uint8Array(length),
    }),
  );
  const control = {
    host: streams,
    disk: undefined,
    desk,
    shelf,
    peers: { chosen: () => undefined },
  };
  stack.use(bus.serve(names.control(kvbm), (payload) => answerControl(payload, control)));
  streams.open(model, layout);
  const client = pool.join(layout);
  const store = (...hashes: number[]) => {
    const slots = pool.reserve(client, hashes.length).filter((_, i) => i % 2 === 0);
    const rows = Array.from(slots, (slot, i) => [slot, hashes[i], 0, 0, 0, 0]).flat();
    pool.commit(client, Uint32Array.from(rows));
    streams.changed(layout);
  };
  return { store, [Symbol.dispose]: () => stack.dispose() };
}

/** A router that follows a tier: what is lost of its last batch it has to hear of by heartbeats alone. */
async function missesNothing(connect: () => Promise<Bus>): Promise<void> {
  await using host = testHost({ clock: systemClock() });
  const [routerBus, tierBus] = [await connect(), await connect()];
  const parsed = parseConfig(routerSchema, { args: [], env: {} });
  assert.ok("config" in parsed);
  const running = await startService(routerSpec, parsed.config, { ...host, bus: routerBus });
  try {
    const lost: string[] = [];
    const isLossy = { now: false };
    using tier = openTier(tierBus, (subject) => {
      if (!isLossy.now) return false;
      lost.push(subject);
      return true;
    });
    const beats: KvHeartbeat[] = [];
    using _beats = routerBus.subscribe(names.allKvBeats, ({ payload }) => {
      const beat = decode("kvHeartbeat", payload);
      if (beat.ok) beats.push(beat.value);
    });
    const key = keys("default").model(model, worker);
    assert.ok((await host.registry.register(key, encodeRecord("model", card))).ok);
    const { state } = routerInside(running.service)!;
    const source = () => {
      const found = [...state.streams.all()].find(({ stream }) => stream.source.owner === kvbm);
      return found && { state: found.stream.state, blocks: found.stream.blocks };
    };
    const knows = (blocks: number) => () => {
      const found = source();
      return (found?.state === "exact" && found.blocks === blocks) || JSON.stringify(found);
    };
    tier.store(1, 2, 3);
    await until("the router knows three blocks", knows(3), 60_000);
    isLossy.now = true;
    tier.store(4, 5);
    await until("a batch and a heartbeat are lost", () => {
      const kinds = [names.kvEvents(kvbm), names.kvBeat(kvbm)];
      return kinds.every((subject) => lost.includes(subject)) || lost.join();
    }, 60_000);
    assert.deepEqual(source(), { state: "exact", blocks: 3 });
    isLossy.now = false;
    await until("the router has noticed and asked", knows(5), 60_000);
    // And goes on from there, with no more snapshots.
    const asked = () => running.metrics.text().then((text) => text.match(/snapshots_total.*/g));
    const before = await asked();
    tier.store(6);
    await until("the next batch follows", knows(6), 60_000);
    const last = () => beats.at(-1)?.streams[0].number;
    await until("a heartbeat tells of that", () => last() === 3 || last(), 60_000);
    assert.deepEqual(await asked(), before);
    assert.deepEqual(source(), { state: "exact", blocks: 6 });
    // What cannot be read is counted, and harms nothing.
    tierBus.publish(
      names.kvBeat(kvbm),
      encode("kvHeartbeat", { ...beats[0], owner: "x" as never }),
    );
    await until("it is counted", async () => {
      const text = await running.metrics.text();
      return /bad_messages_total\{.*kind="beat".*\} 1$/m.test(text) || text;
    }, 60_000);
  } finally {
    await running.stop(AbortSignal.abort());
    await routerBus[Symbol.asyncDispose]();
    await tierBus[Symbol.asyncDispose]();
  }
}

Deno.test("a lost last batch of a block manager is seen by its heartbeats, in one process", async () => {
  await using host = testHost({ clock: systemClock() });
  await missesNothing(() => Promise.resolve(host.connect().bus));
});

Deno.test({
  name: "a lost last batch of a block manager is seen by its heartbeats, over NATS",
  ignore: !hasNats,
  async fn() {
    await using nats = await startNats({ clock: systemClock() });
    await using host = testHost({ clock: systemClock() });
    await missesNothing(async () => {
      const bus = await connectBus(nats.url, {
        ...{ clock: systemClock(), log: host.log("bus"), signal: new AbortController().signal },
      });
      assert.ok(bus.ok);
      return bus.value;
    });
  },
});
