import assert from "node:assert/strict";
import { decodeKvEvents, modelHashOf, subjects } from "@pixii/wire";
import type { InstanceId, KvEventBatch } from "@pixii/wire";
import { DiskWorld } from "../testing/disk_world.ts";

const ignore = Deno.build.os === "windows";
const other = "00000000000000cc" as InstanceId;

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pixii-disk-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Routes 1 to 200: more than the pool of 1 MiB holds (about 80). */
const many = Array.from({ length: 200 }, (_, i) => i + 1);

Deno.test({
  name: "what the pool evicts comes back from disk, also after a restart, in one word per block",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      {
        await using world = await DiskWorld.open(folder);
        const worker = await world.worker();
        for (let at = 0; at < 200; at += 40) {
          await worker.put(...many.slice(at, at + 40));
          await world.written(at + 40);
        }
        assert.ok(world.facts().host.blocks < 100);
        // Each was written once.
        assert.equal(world.facts().disk.written.bytes, 200 * 12_288);
        assert.deepEqual(await worker.get(1, 2, 3, 999), [1, 2, 3, "none"]);
        assert.ok(world.facts().disk.counts.hits >= 3);
        assert.equal(world.facts().disk.counts.damaged, 0);
        await world.until("nothing is pinned", () => world.pool().blocks.pinned === 0);
      }
      await using world = await DiskWorld.open(folder);
      assert.equal(world.facts().disk.blocks, 200);
      const worker = await world.worker({ instance: other });
      assert.deepEqual(await worker.get(...many.slice(0, 60)), many.slice(0, 60));
      assert.deepEqual(
        world.facts().layouts.map(({ fingerprint, models, disk }) => [
          ...[fingerprint, ...models, disk.blocks],
        ]),
        [["layout-1", modelHashOf("m"), 200]],
      );
    }),
});

Deno.test({
  name: "what was not written yet is written when the program ends",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      {
        await using world = await DiskWorld.open(folder, { args: ["--kv-disk-rate", "64KiB"] });
        await (await world.worker()).put(...many.slice(0, 60));
      }
      await using world = await DiskWorld.open(folder);
      assert.equal(world.facts().disk.blocks, 60);
    }),
});

Deno.test({
  name: "damaged, truncated and swapped blocks on disk are misses, counted, and never served",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      {
        await using world = await DiskWorld.open(folder, { size: "4MiB" });
        await (await world.worker()).put(1, 2, 3, 4, 5, 6);
        await world.written(6);
      }
      const segment = `${folder}/segment-00000.kv`;
      const bytes = await Deno.readFile(segment);
      const at = (block: number) => block * 12_288;
      bytes[at(0) + 900] ^= 1; // A payload.
      bytes[at(1) + 70] ^= 1; // A header.
      bytes.fill(0, at(2), at(3)); // Never written.
      bytes.set(bytes.slice(at(4), at(5)), at(3)); // Another block's.
      await Deno.writeFile(segment, bytes);
      await using world = await DiskWorld.open(folder, { size: "4MiB" });
      const worker = await world.worker();
      assert.deepEqual(await worker.get(1, 2, 3, 4, 5, 6), ["lost", "lost", "lost", "lost", 5, 6]);
      assert.equal(world.facts().disk.counts.damaged, 4);
      assert.equal(world.facts().disk.blocks, 2);
      assert.deepEqual(await worker.get(1, 4), ["none", "none"]);
      const verified = await world.act<{ disk: Record<string, number> }>("/kv/verify");
      assert.deepEqual([verified.disk.blocks, verified.disk.damaged], [2, 0]);
      const text = await world.running.metrics.text();
      assert.match(text, /^pixii_kvbm_tier_damaged_total\{tier="disk".*\} 4$/m);
    }),
});

Deno.test({
  name:
    "a segment that is shorter than it was begins anew; an index that is cut keeps what came before",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      let missing: number;
      {
        await using world = await DiskWorld.open(folder, { size: "4MiB" });
        await (await world.worker()).put(1, 2, 3, 4);
        await world.written(4);
      }
      const index = await Deno.readFile(`${folder}/index.kv`);
      await Deno.writeFile(`${folder}/index.kv`, index.subarray(0, index.length - 30));
      {
        await using world = await DiskWorld.open(folder, { size: "4MiB" });
        assert.equal(world.facts().disk.blocks, 3);
        assert.match(JSON.stringify(world.host.lines), /was cut off: a write had not ended/);
        // Which of them has the last record is the writers' matter: what is there is itself, one is not.
        const read = await (await world.worker()).get(1, 2, 3, 4);
        missing = read.indexOf("none");
        assert.deepEqual(read, [1, 2, 3, 4].with(missing, "none" as never));
      }
      await Deno.truncate(`${folder}/segment-00000.kv`, 20_000);
      await using world = await DiskWorld.open(folder, { size: "4MiB" });
      const worker = await world.worker();
      const known = [1, 2, 3, 4].toSpliced(missing, 1);
      assert.deepEqual(await worker.get(...known), ["lost", "lost", "lost"]);
      // The tier goes on.
      await worker.put(21, 22);
      await world.written(2);
    }),
});

Deno.test({
  name: "a tier smaller than what is wanted evicts, and what it keeps is whole",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using world = await DiskWorld.open(folder, { size: "512KiB" });
      const worker = await world.worker();
      for (let round = 0; round < 3; round++) {
        await worker.put(...many.map((lo) => 1_000 * round + lo));
      }
      const { disk } = world.facts();
      assert.ok(disk.bytes <= 512 * 1024 && disk.blocks < 43, JSON.stringify(disk));
      await world.until("all is written", () => world.facts().disk.queue.writes === 0);
      assert.ok(world.facts().disk.counts.evictions > 100, JSON.stringify(world.facts().disk));
      const verified = await world.act<{ disk: Record<string, number> }>("/kv/verify");
      assert.ok(verified.disk.blocks > 10 && verified.disk.damaged === 0, JSON.stringify(verified));
    }),
});

Deno.test({
  name: "blocks of another layout under the same hash are not found",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using world = await DiskWorld.open(folder);
      await (await world.worker()).put(1, 2);
      await world.written(2);
      const stranger = await world.worker({ instance: other, layoutFingerprint: "layout-2" });
      assert.deepEqual(await stranger.get(1, 2), ["none", "none"]);
    }),
});

Deno.test({
  name: "routers hear of the disk's blocks under the same owner, numbered by themselves",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      {
        await using world = await DiskWorld.open(folder);
        await (await world.worker()).put(1, 2, 3);
        await world.written(3);
      }
      await using world = await DiskWorld.open(folder);
      const batches: KvEventBatch[] = [];
      const { bus } = world.host;
      const subject = subjects("default").kvEvents(world.running.instance);
      bus.subscribe(subject, (message) => {
        const batch = decodeKvEvents(message.payload.slice());
        assert.ok(batch.ok);
        if (batch.value.tier === "disk") batches.push(batch.value);
      });
      const worker = await world.worker();
      await world.until("it is told", () => batches.length > 0);
      const [first] = batches;
      assert.deepEqual([first.number, first.owner], [1, world.running.instance]);
      const [event] = first.events;
      assert.ok(event.op === "stored" && event.parent === 0);
      assert.deepEqual([...event.lo], [1, 2, 3]);
      assert.equal((await world.act<{ disk: number }>("/kv/drop?all=1")).disk, 3);
      const isGone = () => batches.some((one) => one.events[0]?.op === "removed");
      await world.until("it is told that they went", isGone);
      assert.deepEqual(batches.map(({ number }) => number), batches.map((_, i) => i + 1));
      assert.deepEqual(await worker.get(1), ["none"]);
    }),
});

Deno.test({
  name: "one folder is one kvbm's; a folder that cannot be had leaves the host tier alone",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using first = await DiskWorld.open(folder);
      await using second = await DiskWorld.open(folder, { seed: 2 });
      assert.equal(second.facts().disk, undefined);
      assert.match(JSON.stringify(second.host.lines), /another kvbm uses it/);
      await (await second.worker()).put(1);
      assert.equal(first.facts().disk.off, false);
      await using third = await DiskWorld.open("/proc/nowhere", { seed: 3 });
      assert.match(JSON.stringify(third.host.lines), /no disk tier: blocks are kept in memory/);
    }),
});
