import assert from "node:assert/strict";
import { startService, systemClock } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import { routerSpec } from "./service.ts";
import {
  bundleInFile,
  readSnapshotFile,
  snapshotFileBytes,
  writeSnapshotFile,
} from "./snapshot_file.ts";
import { cardOf, configOf, hashesOf } from "./testing/samples.ts";
import { ScriptedWorker } from "./testing/scripted_worker.ts";
import type { IndexView } from "./views.ts";

const bundle = new Uint8Array([1, 2, 3, 4, 5]);

Deno.test("a snapshot file gives its bundle back; cut, damaged or foreign it gives a typed error", () => {
  const bytes = snapshotFileBytes(bundle);
  const read = bundleInFile(bytes);
  assert.ok(read.ok);
  assert.deepEqual([...read.value], [...bundle]);
  for (let at = 0; at < bytes.length; at++) {
    const cut = bundleInFile(bytes.subarray(0, at));
    assert.ok(!cut.ok && cut.error.code === "artifact_invalid", `cut at ${at}`);
    const flipped = bytes.slice();
    flipped[at] ^= 1;
    assert.ok(!bundleInFile(flipped).ok, `flipped at ${at}`);
  }
});

Deno.test("writeSnapshotFile() takes the last one's place; where it cannot, it says so", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/snapshot`;
    const none = await readSnapshotFile(path);
    assert.ok(!none.ok && none.error.code === "not_found");
    for (const size of [9, 3]) {
      assert.ok((await writeSnapshotFile(path, new Uint8Array(size))).ok);
      const read = await readSnapshotFile(path);
      assert.ok(read.ok && read.value.length === size);
    }
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
    assert.deepEqual(names, ["snapshot"]);
    const failed = await writeSnapshotFile(`${folder}/no/such`, bundle);
    assert.ok(!failed.ok && /--snapshot-file/.test(failed.error.message));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a router that restarts from its file asks no worker that did nothing meanwhile, and believes no other", async () => {
  const folder = await Deno.makeTempDir();
  const clock = systemClock();
  const host = testHost({ clock });
  const args = ["--snapshot-file", `${folder}/snapshot`];
  const start = async () => {
    const router = await startService(routerSpec, configOf(...args), {
      ...host,
      ...host.connect(),
    });
    const index = () =>
      router.service.adminRoutes!["/index"](new URL("http://x/index")) as IndexView;
    const until = async (holds: () => boolean) => {
      for (let tries = 0; !holds(); tries++) {
        assert.ok(tries < 300, JSON.stringify(index()));
        await clock.sleep(10);
      }
    };
    return { router, index, until };
  };
  const workers = [1, 2].map((number) =>
    new ScriptedWorker({ ...host.connect(), clock }, cardOf(number))
  );
  try {
    for (const worker of workers) {
      await worker.open();
      worker.store(hashesOf(1, 4));
    }
    const first = await start();
    await first.until(() => first.index().blocks === 8);
    await first.router.stop();
    const asked = workers.map((worker) => worker.asked.snapshots);
    workers[1].remove(hashesOf(1, 3));
    const second = await start();
    await second.until(() =>
      second.index().sources.every((source) => source.state === "exact") &&
      second.index().blocks > 0
    );
    await second.until(() => second.index().blocks === 5);
    const [quiet, busy] = workers.map((worker, i) => worker.asked.snapshots - asked[i]);
    assert.deepEqual([quiet, busy], [0, 1]);
    await second.router.stop();
  } finally {
    for (const worker of workers) await worker.stop();
    await host[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
});
