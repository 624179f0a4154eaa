import assert from "node:assert/strict";
import {
  decode,
  decodeStoreRows,
  encode,
  encodeStoreRows,
  modelHashOf,
  routeHashes,
  storeFrames,
} from "@pixii/wire";
import type { InstanceId, StoreHello, StoreRows } from "@pixii/wire";
import { LocalFrameServer, recordingLog, SharedMemory, systemClock } from "@pixii/runtime";
import type { FrameSocket } from "@pixii/runtime";
import type { HostSlots, Landing, MappedPool } from "./kv_store.ts";
import { HostStore } from "./host_store.ts";
import { namedKvbm } from "./kvbm_finder.ts";

const ignore = Deno.build.os !== "linux";
const clock = systemClock();
const log = recordingLog("test", []);
const poolBytes = 65_536;
const hello: StoreHello = {
  instance: "00000000000000aa" as InstanceId,
  pid: Deno.pid,
  processStart: "1",
  model: modelHashOf("m"),
  layoutFingerprint: "f",
  blockSize: 4,
  blockBytes: 4_096,
};

async function until(what: string, done: () => boolean): Promise<void> {
  for (let tries = 0; !done(); tries++) {
    assert.ok(tries < 500, what);
    await clock.sleep(10);
  }
}

/** A kvbm that answers as it is told to, and an engine that notes what it is told. */
async function openWorld() {
  const folder = await Deno.makeTempDir();
  const path = `/dev/shm/pixii-test-${crypto.randomUUID()}`;
  const memory = await SharedMemory.create(path, { bytes: poolBytes, unitBytes: poolBytes });
  assert.ok(memory.ok);
  const said: string[] = [];
  const asked: StoreRows[] = [];
  /** Number of each question's frame: its answer's. */
  const ids: number[] = [];
  /** Answers a question, or is silent. */
  const script: { answer: (rows: StoreRows) => StoreRows | undefined } = {
    answer: () => undefined,
  };
  const sockets: FrameSocket[] = [];
  const serve = async (socket: FrameSocket) => {
    sockets.push(socket);
    for await (const frame of socket.frames()) {
      if (decode("storeHello", frame.payload).ok) {
        said.push("hello");
        const kvbm = "00000000000000bb" as InstanceId;
        const welcome = {
          ...{ kvbm, path, poolBytes, pageBytes: 4096, slotBytes: 4096, mostReserved: 3 },
        };
        socket.send(storeFrames.answer, frame.id, "", encode("storeWelcome", welcome));
        continue;
      }
      const rows = decodeStoreRows(frame.payload);
      assert.ok(rows.ok);
      asked.push(rows.value);
      ids.push(frame.id);
      const answer = script.answer(rows.value);
      if (answer !== undefined) {
        socket.send(storeFrames.answer, frame.id, "", encodeStoreRows(answer));
      }
    }
  };
  const server = await LocalFrameServer.open({ path: `${folder}/k.sock`, log, serve });
  assert.ok(server.ok);
  const granted: HostSlots[] = [];
  const user = {
    opened: (pool: MappedPool) => void said.push(`opened ${pool.generation}`),
    closed: (pool: MappedPool) => {
      said.push(`closed ${pool.generation}`);
      return Promise.resolve();
    },
    granted: (slots: HostSlots) => void granted.push(slots),
    gone: (_: number, slots: Uint32Array) => void said.push(`gone ${[...slots]}`),
    landed: (_: number, landings: readonly Landing[]) => {
      for (const { position, slot } of landings) said.push(`landed ${position} ${slot}`);
    },
  };
  const store = new HostStore({ hello, finder: namedKvbm(`${folder}/k.sock`), user, clock, log });
  await until("the store is open", () => store.kvbm !== undefined);
  return {
    ...{ store, said, asked, ids, script, sockets, granted },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await server.value[Symbol.asyncDispose]();
      memory.value.unlink();
      memory.value[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const routes = routeHashes([1, 2, 3, 4, 5, 6, 7, 8], { blockSize: 4 });

Deno.test({
  name:
    "HostStore.find() waits 50 ms for a silent kvbm, asks no more while it is silent, and ends the lease",
  ignore,
  async fn() {
    await using world = await openWorld();
    const startedMs = clock.nowMs();
    assert.equal(await world.store.find(routes, { stallMs: () => 50 }), undefined);
    const tookMs = clock.nowMs() - startedMs;
    assert.ok(tookMs >= 45 && tookMs < 2_000, `${tookMs}`);
    const finds = () => world.asked.filter(({ op }) => op === "find");
    assert.equal(finds().length, 1);
    assert.equal(await world.store.find(routes, { stallMs: () => 50 }), undefined);
    await until("the lease is released", () => world.asked.some(({ op }) => op === "release"));
    assert.equal(finds().length, 1, "a silent kvbm is not asked again");
    const release = world.asked.find(({ op }) => op === "release")!;
    assert.deepEqual([...release.words], [finds()[0].arg]);
  },
});

Deno.test({
  name:
    "HostStore.find() waits longer than 50 ms for a kvbm that has just started where computing takes longer",
  ignore,
  async fn() {
    await using world = await openWorld();
    const startedMs = clock.nowMs();
    const finding = world.store.find(routes, { stallMs: (blocks) => 10_000 * blocks });
    await until("it is late", () => clock.nowMs() - startedMs > 80);
    const at = world.asked.findIndex(({ op }) => op === "find");
    const found = { op: "found", arg: world.asked[at].arg, words: Uint32Array.of(8, 2, 9, 3) };
    const payload = encodeStoreRows(found as StoreRows);
    world.sockets[0].send(storeFrames.answer, world.ids[at], "", payload);
    assert.deepEqual([...(await finding)?.slots ?? []], [8, 9]);
    const silentMs = clock.nowMs();
    const stallMs = () => 2_400;
    const holder = { kvbm: "0000000200000001" as InstanceId, first: 1, end: 2, computeMs: 2_399.5 };
    assert.equal(await world.store.find(routes, { holder, stallMs }), undefined, "not for ever");
    const tookMs = clock.nowMs() - silentMs;
    assert.ok(tookMs >= 590 && tookMs < 5_000, `a quarter of 2.4 s: ${tookMs}`);
    const said = world.asked.findIndex(({ op }) => op === "from");
    assert.deepEqual([...world.asked[said].words], [1, 2, 1, 2, 2_400, 0]);
    const { op, arg } = world.asked[said + 1];
    assert.deepEqual([op, arg], ["find", world.asked[said].arg]);
  },
});

Deno.test({
  name: "HostStore gives the engine slots, tells what is found, committed and gone",
  ignore,
  async fn() {
    await using world = await openWorld();
    world.script.answer = ({ op, arg }) => {
      if (op === "reserve") return { op: "reserved", arg, words: Uint32Array.of(5, 1, 6, 2) };
      if (op === "find") return { op: "found", arg, words: Uint32Array.of(0, 0, 9, 3) };
      if (op === "commit") return { op: "committed", arg, words: Uint32Array.of(5, 0) };
      return undefined;
    };
    world.store.restock();
    // The first question after the greeting got no answer: the connection is made anew.
    world.sockets[0].close();
    await until("slots are granted", () => world.granted.length > 0);
    const [{ generation, slots, pages }] = world.granted;
    assert.deepEqual([generation, [...slots], [...pages]], [2, [5, 6], [1, 2]]);
    const run = await world.store.find(routes, { stallMs: () => 50 });
    assert.deepEqual([...run!.slots], [0, 9]);
    assert.deepEqual([...run!.pages], [0, 3]);
    assert.equal(await world.store.commit(2, Uint32Array.of(5, 1, 2, 0, 0, 0)), 1);
    assert.equal(await world.store.commit(1, Uint32Array.of(5, 1, 2, 0, 0, 0)), 0);
    world.store.release(2, [run!.lease]);
    world.store.damaged(2, [9]);
    await until("both are told", () => world.asked.some(({ op }) => op === "damaged"));
    world.sockets[1].send(
      storeFrames.tell,
      0,
      "",
      encodeStoreRows({ op: "gone", arg: 0, words: Uint32Array.of(9) }),
    );
    await until("it is gone", () => world.said.includes("gone 9"));
    assert.deepEqual(world.said, [
      ...["hello", "opened 1", "closed 1", "hello", "opened 2", "gone 9"],
    ]);
  },
});
