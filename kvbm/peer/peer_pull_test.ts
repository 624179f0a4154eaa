import assert from "node:assert/strict";
import { bytesOfU32s, encode, endMark, subjects } from "@pixii/wire";
import type { InstanceId, StoreWelcome } from "@pixii/wire";
import { parseConfig, SharedMemory, startService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { kvbmSchema } from "../config.ts";
import { kvbmSpec } from "../service.ts";
import { helloOf, ScriptedClient } from "../testing/scripted_client.ts";
import { writeBlock } from "../testing/scripted_source.ts";
import { layoutHash } from "@pixii/wire";
import type { PeerCounts } from "./peer_counts.ts";

const ignore = Deno.build.os === "windows";
const layout = layoutHash("layout-1");

interface Facts {
  readonly socket: string;
  readonly blocks: { readonly pinned: number; readonly reserved: number; readonly unused: number };
  readonly peers: {
    readonly address?: string;
    readonly askers: number;
    readonly counts: PeerCounts;
  };
}

/** A block manager with one scripted worker; every one has its own pool, as on a host of its own. */
async function startSide(host: TestHost, number: number, args: readonly string[] = []) {
  const parsed = parseConfig(kvbmSchema, { args: ["--kv-host", "4MiB", ...args], env: {} });
  assert.ok("config" in parsed, JSON.stringify(parsed));
  const running = await startService(kvbmSpec, parsed.config, host);
  const facts = () => running.service.adminRoutes!["/pool"](new URL("http://x/pool")) as Facts;
  const worker = await ScriptedClient.connect(facts().socket);
  const welcome = await worker.hello(
    helloOf({ instance: `00000000000000a${number}` as InstanceId }),
  ) as StoreWelcome;
  const memory = await SharedMemory.open(welcome.path, welcome.poolBytes);
  assert.ok(memory.ok);
  const { slotBytes } = welcome;
  const view = (page: number) => memory.value.view(page * welcome.pageBytes, slotBytes);
  /** Writes and commits blocks `lo`, each the child of the one before. */
  const store = async (los: readonly number[], op: "commit" | "commitPrivate" = "commit") => {
    const slots = await worker.ask("reserve", [], los.length);
    const words = los.flatMap((lo, i) => {
      const parentLo = i === 0 ? undefined : los[i - 1];
      const handover = op === "commitPrivate" ? { token: 5, index: 0 } : undefined;
      writeBlock(view(slots[2 * i + 1]), {
        hi: 0,
        lo,
        layout,
        parentLo,
        index: i,
        fill: lo,
        handover,
      });
      return [slots[2 * i], lo, 0, parentLo ?? 0, 0, i];
    });
    return await worker.ask(op, words);
  };
  const until = async (what: string, done: () => boolean) => {
    for (let tries = 0; !done(); tries++) {
      assert.ok(tries < 500, `${what}: ${JSON.stringify(facts())}`);
      await host.clock.sleep(10);
    }
  };
  return {
    ...{ running, facts, worker, view, store, until },
    [Symbol.dispose]() {
      worker[Symbol.dispose]();
      memory.value[Symbol.dispose]();
    },
  };
}
type Side = Awaited<ReturnType<typeof startSide>>;

function prefetch(host: TestHost, to: Side, more: {
  readonly los: readonly number[];
  readonly from: InstanceId;
  readonly computeMs?: number;
}): void {
  const { los, from, computeMs } = more;
  const lo = bytesOfU32s(Uint32Array.from(los));
  const hi = new Uint8Array(lo.length);
  const { model } = helloOf();
  const message = { op: "prefetch", model, hi, lo, from, computeMs, remainingMs: 5_000 } as const;
  host.bus.publish(subjects("default").control(to.running.instance), encode("control", message));
}

/** Nothing is held on either side, and nobody asks any more than `askers`. */
async function atRest(side: Side): Promise<void> {
  await side.until("nothing is held", () => {
    const { pinned, reserved } = side.facts().blocks;
    return pinned === 0 && reserved === 0;
  });
}

Deno.test({
  name: "two kvbms: blocks of one are pulled by the other ahead of a request, the same to the byte",
  ignore,
  async fn() {
    await using host = testHost();
    using a = await startSide(host, 1);
    using b = await startSide(host, 2);
    const los = Array.from({ length: 12 }, (_, i) => i + 1);
    await a.store(los);
    prefetch(host, b, { los: [...los, 99], from: a.running.instance });
    await b.until("they are there", () => b.facts().peers.counts.pulledBlocks === 12);
    const found = await b.worker.ask("find", [...los, 99].flatMap((lo) => [lo, 0]), 1);
    const mine = await a.worker.ask("find", los.flatMap((lo) => [lo, 0]), 1);
    for (let i = 0; i < 12; i++) {
      assert.ok(found[2 * i] > 0);
      assert.deepEqual(
        b.view(found[2 * i + 1]).subarray(0, 1384),
        a.view(mine[2 * i + 1]).subarray(0, 1384),
      );
    }
    assert.equal(b.facts().peers.counts.failed.gone, 1);
    assert.equal(a.facts().peers.counts.givenBlocks, 12);
    const metrics = await b.running.metrics.text();
    assert.match(metrics, /^pixii_kvbm_peer_blocks_total\{.*way="in".*\} 12$/m);
    assert.match(metrics, /^pixii_kvbm_peer_lost_total\{.*reason="gone".*\} 1$/m);
    // Computing these would be done before a pull is: it is not begun, and counted.
    await a.store([50]);
    prefetch(host, b, { los: [50], from: a.running.instance, computeMs: 0 });
    await b.until("chosen", () => b.facts().peers.counts.chosen.compute === 1);
    assert.equal(b.facts().peers.counts.pulledBlocks, 12);
    for (const side of [a, b]) side.worker.tell("release", [1]);
    await b.running.stop();
    await atRest(a);
    await a.until("nobody asks", () => a.facts().peers.askers === 0);
    await a.running.stop();
  },
});

Deno.test({
  name:
    "two kvbms: a question that says who has its blocks pulls them and the prompt's end, though no prefetch was heard",
  ignore,
  async fn() {
    await using host = testHost();
    using a = await startSide(host, 1);
    using b = await startSide(host, 2);
    const id = a.running.instance;
    const kvbm = [Number.parseInt(id.slice(8), 16), Number.parseInt(id.slice(0, 8), 16)];
    await a.store([1, 2, 3]);
    const [slot, page] = await a.worker.ask("reserve", [], 1);
    writeBlock(a.view(page), { hi: 0, lo: 9, layout, parentLo: 3, index: 3, end: true });
    await a.worker.ask("commit", [slot, 9, 0, 3, 0, endMark + 3]);
    const question = [1, 2, 3, 9].flatMap((lo) => [lo, 0]);
    // Computing them would be done before a pull is.
    await a.store([50, 51]);
    b.worker.tell("from", [...kvbm, 0, 2, 1, 0], 1);
    assert.deepEqual(await b.worker.ask("find", [50, 0, 51, 0], 1), [0, 0, 0, 0]);
    assert.equal(b.facts().peers.counts.chosen.compute, 1);
    // The first is on the device, as the router says.
    b.worker.tell("from", [...kvbm, 1, 4, 60_000, 0], 2);
    assert.deepEqual(await b.worker.ask("findEnd", question, 2), [0, 0, 0, 1, 0, 1, 0, 1]);
    await b.worker.untilTold(3);
    const landed = b.worker.told.map(({ op, words }) => [op, words[0], words[1]]);
    assert.deepEqual(landed, [["landed", 2, 1], ["landed", 2, 2], ["landed", 2, 3]]);
    assert.equal(b.facts().peers.counts.pulledBlocks, 3);
    // The prefetch, late: only the block that was left out is lacking.
    prefetch(host, b, { los: [1, 2, 3], from: id, computeMs: 60_000 });
    await b.until("it is there", () => b.facts().peers.counts.pulledBlocks === 4);
    assert.equal(b.facts().peers.counts.failed.gone, 0);
    b.worker.tell("release", [2]);
    await b.running.stop();
    await atRest(a);
    await a.running.stop();
  },
});

Deno.test({
  name:
    "two kvbms: a hand-over between hosts: blocks land while they are computed, the tail for its reader alone",
  ignore,
  async fn() {
    await using host = testHost();
    using a = await startSide(host, 1);
    using b = await startSide(host, 2);
    const id = a.running.instance;
    const words = [Number.parseInt(id.slice(8), 16), Number.parseInt(id.slice(0, 8), 16)];
    b.worker.tell("from", words, 7);
    const found = await b.worker.ask("await", [1, 0, 2, 0, 70, 0], 7);
    assert.deepEqual(found, [0, 1, 0, 1, 0, 1]);
    await a.until("it is asked", () => a.facts().peers.askers === 1);
    await a.store([1]);
    await b.worker.untilTold(1);
    await a.store([2]);
    await b.worker.untilTold(2);
    await a.until("the tail is awaited", () => a.facts().peers.askers === 1);
    await a.store([70], "commitPrivate");
    await b.worker.untilTold(3);
    const landed = b.worker.told.map(({ op, words }) => [op, words[0], words[1]]);
    assert.deepEqual(landed, [["landed", 7, 0], ["landed", 7, 1], ["landed", 7, 2]]);
    const [, tail] = [b.worker.told[1], b.worker.told[2]];
    assert.equal(b.view(tail.words[3])[384], 70);
    assert.deepEqual(await b.worker.ask("find", [70, 0], 8), [0, 0]);
    b.worker.tell("release", [7]);
    await atRest(b);
    await atRest(a);
    assert.equal(a.facts().blocks.unused, 2);
    assert.equal(b.facts().blocks.unused, 2);
    await b.running.stop();
    await a.running.stop();
  },
});

Deno.test({
  name:
    "two kvbms: the other one goes, or lies, or was never there: lost at once, and nothing is held",
  ignore,
  async fn() {
    await using host = testHost();
    using a = await startSide(host, 1);
    using b = await startSide(host, 2, ["--kv-peer-listen", "off"]);
    assert.equal(b.facts().peers.address, undefined);
    const id = a.running.instance;
    const words = [Number.parseInt(id.slice(8), 16), Number.parseInt(id.slice(0, 8), 16)];
    // Damaged at home: its checksum is found wrong here.
    const [slot] = await a.store([5]);
    const place = await a.worker.ask("find", [5, 0], 1);
    assert.equal(place[0], slot);
    a.view(place[1])[900] ^= 1;
    prefetch(host, b, { los: [5], from: id });
    await b.until("damaged", () => b.facts().peers.counts.failed.damaged === 1);
    a.worker.tell("release", [1]);
    // Awaited of a peer that dies meanwhile.
    b.worker.tell("from", words, 9);
    assert.deepEqual(await b.worker.ask("await", [8, 0, 9, 0], 9), [0, 1, 0, 1]);
    await a.until("it is asked", () => a.facts().peers.askers === 1);
    await a.store([8]);
    await b.worker.untilTold(1);
    await a.running.stop();
    await b.worker.untilTold(2);
    assert.deepEqual(b.worker.told[1], { op: "lost", words: [9, 1] });
    // One that is gone, and one that nobody knows.
    for (const [lease, kvbm] of [[10, words], [11, [1, 1]]] as const) {
      b.worker.tell("from", kvbm, lease);
      assert.deepEqual(await b.worker.ask("await", [20, 0], lease), [0, 1]);
      await b.worker.untilTold(lease - 7);
      assert.deepEqual(b.worker.told.at(-1), { op: "lost", words: [lease, 0] });
    }
    b.worker.tell("release", [9, 10, 11]);
    await atRest(b);
    await b.running.stop();
  },
});
