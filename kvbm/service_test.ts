import assert from "node:assert/strict";
import {
  bytesOfU32s,
  decode,
  decodeKvEvents,
  decodeRecord,
  encode,
  keys,
  messageNameOf,
  modelHashOf,
  subjects,
} from "@pixii/wire";
import type { InstanceId, KvEventBatch, KvHeartbeat, StoreWelcome } from "@pixii/wire";
import {
  namesIn,
  parseConfig,
  SharedMemory,
  startService,
  unlinkFile,
  VirtualClock,
} from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { kvbmSchema } from "./config.ts";
import { defaultPoolFolder } from "./pool_file.ts";
import { kvbmSpec } from "./service.ts";
import { helloOf, ScriptedClient } from "./testing/scripted_client.ts";

const ignore = Deno.build.os === "windows";
const folder = ignore ? "" : defaultPoolFolder();
const other = "00000000000000cc" as InstanceId;

async function startKvbm(host: TestHost, args: readonly string[]) {
  const parsed = parseConfig(kvbmSchema, { args, env: {} });
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return await startService(kvbmSpec, parsed.config, host);
}

interface PoolFacts {
  readonly path: string;
  readonly socket: string;
  readonly blocks: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly workers: readonly Record<string, unknown>[];
}

/** A kvbm with a pool of 4 MiB: about 340 slots of the scripted client's size. */
async function openWorld(host: TestHost) {
  const running = await startKvbm(host, ["--kv-host", "4MiB"]);
  const facts = () => running.service.adminRoutes!["/pool"](new URL("http://x/pool")) as PoolFacts;
  const connect = () => ScriptedClient.connect(facts().socket);
  const batches: KvEventBatch[] = [];
  host.connect().bus.subscribe(subjects("default").kvEvents(running.instance), (message) => {
    const batch = decodeKvEvents(message.payload.slice());
    assert.ok(batch.ok);
    batches.push(batch.value);
  });
  const beats: KvHeartbeat[] = [];
  host.connect().bus.subscribe(subjects("default").kvBeat(running.instance), (message) => {
    const beat = decode("kvHeartbeat", message.payload);
    assert.ok(beat.ok);
    beats.push(beat.value);
  });
  const until = async (what: string, done: () => boolean) => {
    for (let tries = 0; !done(); tries++) {
      assert.ok(tries < 500, `${what}: ${JSON.stringify(facts())}`);
      await host.clock.sleep(10);
    }
  };
  return { running, facts, connect, batches, beats, until };
}

Deno.test("kvbm without a host tier registers, is ready and says that its tiers are off", async () => {
  const clock = new VirtualClock();
  await using host = testHost({ clock });
  const running = await startKvbm(host, ["--kv-host", "0"]);
  assert.equal(running.health().status, "ready");
  const listed = await host.registry.list(keys("default").instances);
  assert.ok(listed.ok && listed.value.length === 1);
  const record = decodeRecord("instance", listed.value[0].value);
  assert.ok(record.ok && record.value.service === "kvbm" && record.value.status === "ready");
  const cards = await host.registry.list(keys("default").kvbms);
  assert.deepEqual(cards.ok && cards.value, []);
  const text = await running.metrics.text();
  assert.match(text, /^pixii_kvbm_tier_capacity_bytes\{tier="host",.*\} 0$/m);
  assert.doesNotMatch(text, /tier="device"/);
  await running.stop();
  const after = await host.registry.list(keys("default").instances);
  assert.deepEqual(after.ok && after.value, []);
  assert.equal(clock.waiting, 0);
});

Deno.test({
  name: "kvbm: what one worker writes another finds in the same memory; routers hear of it",
  ignore,
  async fn() {
    await using host = testHost();
    const { running, facts, connect, batches, beats, until } = await openWorld(host);
    const cards = await host.registry.list(keys("default").kvbms);
    assert.ok(cards.ok);
    const card = decodeRecord("kvbm", cards.value[0].value);
    assert.ok(card.ok && card.value.socket === facts().socket);
    assert.equal(card.value.instance, running.instance);

    using writer = await connect();
    const welcome = await writer.hello() as StoreWelcome;
    assert.equal(welcome.slotBytes, 12_288);
    const memory = await SharedMemory.open(welcome.path, welcome.poolBytes);
    assert.ok(memory.ok);
    const slots = await writer.ask("reserve", [], 2);
    assert.equal(slots.length, 4);
    memory.value.view(slots[1] * welcome.pageBytes, 1)[0] = 77;
    const commits = [slots[0], 1, 0, 0, 0, 0, slots[2], 2, 0, 1, 0, 1];
    assert.deepEqual(await writer.ask("commit", commits), [slots[0], 0, slots[2], 0]);

    using reader = await connect();
    await reader.hello(helloOf({ instance: other }));
    const found = await reader.ask("find", [1, 0, 2, 0, 3, 0], 5);
    assert.deepEqual(found, [...slots, 0, 0]);
    assert.equal(memory.value.view(found[1] * welcome.pageBytes, 1)[0], 77);
    assert.deepEqual({ ...facts().blocks }, { pinned: 2, unused: 0, reserved: 0 });
    reader.tell("release", [5]);
    await until("the lease is over", () => facts().blocks.unused === 2);
    memory.value[Symbol.dispose]();

    await until("the events came", () => batches.length > 0);
    const [batch] = batches;
    assert.deepEqual(
      [batch.tier, batch.number, batch.model, batch.blockSize, batch.owner],
      ["host", 1, modelHashOf("m"), 64, running.instance],
    );
    assert.deepEqual(batch.events, [{
      ...{ op: "stored", parent: 0, numbers: Uint32Array.from([slots[0], slots[2]]) },
      ...{ hi: Uint32Array.from([0, 0]), lo: Uint32Array.from([1, 2]) },
    }]);
    await until(
      "a heartbeat says so again",
      () => beats.some(({ streams }) => streams[0].number === 1),
    );
    const { owner, epoch, tier, streams } = beats.at(-1)!;
    assert.deepEqual([owner, epoch, tier], [running.instance, running.instance, "host"]);
    assert.deepEqual(streams, [{ model: modelHashOf("m"), dpRank: 0, blockSize: 64, number: 1 }]);
    assert.equal(batches.length, 1);
    await running.stop();
    assert.ok(!namesIn(folder).includes(welcome.path.split("/").at(-1)!));
  },
});

Deno.test({
  name: "kvbm gives snapshots by model and tier, and says not_found for what it has not",
  ignore,
  async fn() {
    await using host = testHost();
    const { running, connect } = await openWorld(host);
    using writer = await connect();
    await writer.hello();
    const [slot] = await writer.ask("reserve", [], 1);
    await writer.ask("commit", [slot, 9, 8, 0, 0, 0]);
    const ask = async (message: Parameters<typeof encode<"control">>[1]) => {
      const subject = subjects("default").control(running.instance);
      const reply = await host.bus.request(subject, encode("control", message), {
        timeoutMs: 1000,
      });
      assert.ok(reply.ok);
      return reply.value;
    };
    const model = modelHashOf("m");
    const head = decode(
      "snapshotHead",
      await ask({ op: "snapshot", model, dpRank: 0, tier: "host" }),
    );
    assert.ok(head.ok);
    const part = decode("part", await ask({ op: "snapshot-part", id: head.value.id, offset: 0 }));
    assert.ok(part.ok);
    const batch = decodeKvEvents(part.value.data);
    assert.ok(batch.ok && batch.value.number === head.value.number);
    const [event] = batch.value.events;
    assert.ok(event.op === "stored" && event.lo[0] === 9 && event.hi[0] === 8);
    const blocks = { hi: bytesOfU32s(Uint32Array.of(8, 8)), lo: bytesOfU32s(Uint32Array.of(9, 7)) };
    const audit = { op: "audit", model, dpRank: 0, tier: "host", ...blocks } as const;
    const answer = decode("auditAnswer", await ask(audit));
    assert.ok(answer.ok);
    assert.deepEqual([answer.value.number, ...answer.value.held], [head.value.number, 1, 0]);
    for (
      const wrong of [
        { ...audit, tier: "device" },
        { op: "snapshot", model, tier: "disk" },
        { op: "snapshot", model: modelHashOf("other"), tier: "host" },
        { op: "snapshot-part", id: 77, offset: 0 },
      ] as const
    ) {
      const answer = await ask(wrong);
      assert.equal(messageNameOf(answer), "refusal");
      const refusal = decode("refusal", answer);
      assert.ok(refusal.ok && refusal.value.error.code === "not_found");
    }
    await running.stop();
  },
});

Deno.test({
  name:
    "kvbm: a worker killed with -9 loses its pins and reservations, a lost connection alone does not",
  ignore,
  async fn() {
    await using host = testHost();
    const { running, facts, connect, until } = await openWorld(host);
    using writer = await connect();
    await writer.hello();
    const [slot] = await writer.ask("reserve", [], 1);
    await writer.ask("commit", [slot, 1, 0, 0, 0, 0]);

    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", "--quiet"],
        new URL("./testing/holding_client.ts", import.meta.url).pathname,
        facts().socket,
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await reader.read();
    const said = JSON.parse(value!);
    assert.equal(said.reserved.length, 6);
    assert.equal(said.found[0], slot);
    assert.deepEqual({ ...facts().blocks }, { pinned: 1, unused: 0, reserved: 3 });
    child.kill("SIGKILL");
    await until("the dead hold nothing", () => facts().blocks.reserved === 0);
    assert.deepEqual({ ...facts().blocks }, { pinned: 0, unused: 1, reserved: 0 });
    assert.equal(facts().workers.length, 1);
    await child.status;
    await reader.cancel();

    // This process lives on: what it holds stays listed and held until it says hello again.
    const lost = await connect();
    await lost.hello(helloOf({ instance: other }));
    await lost.ask("reserve", [], 2);
    await lost.ask("find", [1, 0], 3);
    lost[Symbol.dispose]();
    await until("the connection is seen lost", () => facts().workers[1].connected === false);
    await host.clock.sleep(600);
    assert.deepEqual({ ...facts().blocks }, { pinned: 1, unused: 0, reserved: 2 });
    using again = await connect();
    await again.hello(helloOf({ instance: other }));
    assert.deepEqual({ ...facts().blocks }, { pinned: 0, unused: 1, reserved: 0 });
    await running.stop();
  },
});

Deno.test({
  name: "kvbm tells workers what has left the pool, and drops what one finds damaged",
  ignore,
  async fn() {
    await using host = testHost();
    const { running, facts, connect } = await openWorld(host);
    using worker = await connect();
    await worker.hello();
    const [slot] = await worker.ask("reserve", [], 1);
    await worker.ask("commit", [slot, 1, 0, 0, 0, 0]);
    assert.equal((await worker.ask("find", [1, 0], 4))[0], slot);
    worker.tell("damaged", [slot]);
    assert.deepEqual(await worker.ask("find", [1, 0], 5), [0, 0]);
    assert.equal(facts().counts.damaged, 1);
    // Held by its finder until the lease is over, then free.
    assert.deepEqual({ ...facts().blocks }, { pinned: 1, unused: 0, reserved: 0 });
    worker.tell("release", [4]);
    assert.deepEqual(await worker.ask("find", [1, 0], 6), [0, 0]);
    assert.deepEqual({ ...facts().blocks }, { pinned: 0, unused: 0, reserved: 0 });
    assert.deepEqual(worker.gone, [slot]);
    const metrics = await running.metrics.text();
    assert.match(metrics, /^pixii_kvbm_blocks_corrupt_total(\{.*\})? 1$/m);
    await running.stop();
  },
});

Deno.test({
  name: "kvbm refuses a block longer than a segment by name, and cuts who breaks the protocol",
  ignore,
  async fn() {
    await using host = testHost();
    const { running, connect, facts } = await openWorld(host);
    using large = await connect();
    const refused = await large.hello(helloOf({ blockBytes: 2 * 1024 * 1024 }));
    assert.match(refused as string, /longer than a segment \(raise --kv-segment\)/);
    using rude = await connect();
    await rude.hello();
    await assert.rejects(rude.ask("found", [1, 1]), /the connection ended/);
    assert.equal(facts().workers.length, 1);
    await running.stop();
  },
});

Deno.test({
  name:
    "kvbm removes pools of programs that are gone, and runs without a tier where it cannot have one",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using host = testHost();
    const stale = `${folder}/pixii-kv-default-00000000000000dd-4194303-12345.pool`;
    const made = await SharedMemory.create(stale, { bytes: 4096, unitBytes: 4096 });
    assert.ok(made.ok);
    made.value[Symbol.dispose]();
    const running = await startKvbm(host, ["--kv-host", "1MiB"]);
    assert.equal(unlinkFile(stale), false);
    await running.stop();
    const without = await startKvbm(host, ["--kv-host", "1MiB", "--kv-pool", "/nowhere"]);
    assert.equal(without.health().status, "ready");
    const warned = host.lines.find((line) => line.level === "warn");
    assert.match(JSON.stringify(warned), /Cannot make \/nowhere/);
    await without.stop();
  },
});
