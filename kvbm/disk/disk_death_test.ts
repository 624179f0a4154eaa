import assert from "node:assert/strict";
import { DiskWorld } from "../testing/disk_world.ts";

const ignore = Deno.build.os === "windows";

/** Runs a kvbm that writes without end and kills it with -9 once it has said so many lines. */
async function killAfter(folder: string, lines: number): Promise<void> {
  const script = new URL("../testing/dying_kvbm.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", script, folder, "2MiB"],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let seen = 0;
  while (seen < lines) {
    const { value, done } = await reader.read();
    assert.ok(!done, "it ended by itself");
    seen += value.split("\n").length - 1;
  }
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
}

Deno.test({
  name: "a kvbm killed with -9 in mid write leaves a tier in which every block is whole",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "pixii-disk-" });
    // Into an empty tier, into a full one, and once more.
    for (const lines of [6, 25, 40]) {
      await killAfter(folder, lines);
      await using world = await DiskWorld.open(folder, { size: "2MiB" });
      const { disk } = world.facts();
      const verified = await world.act<{ disk: Record<string, number> }>("/kv/verify");
      assert.ok(disk.blocks >= 20, JSON.stringify(disk));
      assert.deepEqual(
        [verified.disk.blocks, verified.disk.damaged, verified.disk.unreadable],
        [disk.blocks, 0, 0],
      );
    }

    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name:
    "a disk that gives nothing back turns its tier off with one sentence; the host tier goes on",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "pixii-disk-" });
    {
      await using world = await DiskWorld.open(folder, { size: "4MiB" });
      await (await world.worker()).put(...Array.from({ length: 40 }, (_, i) => i + 1));
      await world.written(40);
    }
    {
      await using world = await DiskWorld.open(folder, { size: "4MiB" });
      const worker = await world.worker();
      await Deno.truncate(`${folder}/segment-00000.kv`, 0);
      for (let lo = 1; lo <= 10; lo++) {
        const [got] = await worker.get(lo);
        assert.equal(got, lo <= 8 ? "lost" : "none");
      }
      assert.ok(world.facts().disk.off);
      const said = world.host.lines.filter(({ message }) => /tier is off until/.test(message));
      assert.equal(said.length, 1);
      await worker.put(50);
      assert.deepEqual(await worker.get(50), [50]);
    }
    await Deno.remove(folder, { recursive: true });
  },
});
