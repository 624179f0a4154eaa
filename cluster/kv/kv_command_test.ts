import assert from "node:assert/strict";
import { modelHashOf } from "@pixii/wire";
import type { ModelHash } from "@pixii/wire";
import { AdminServer, parseConfig, recordingLog, startService, systemClock } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import { kvbmSchema, kvbmSpec } from "@pixii/kvbm";
import { runKv } from "./kv_command.ts";
import { lsLines, statLines, verifyLines } from "./kv_words.ts";

async function run(...args: string[]) {
  const [said, warned]: [string[], string[]] = [[], []];
  const code = await runKv(args, {
    env: {},
    clock: systemClock(),
    log: recordingLog(),
    signal: new AbortController().signal,
    say: (line) => said.push(line),
    warn: (line) => warned.push(line),
  });
  return { code, said: said.join("\n"), warned: warned.join("\n") };
}

Deno.test({
  name: "kv asks a running kvbm with a disk tier: ls, stat, verify and drop",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "pixii-disk-" });
    await using host = testHost();
    await using admin = AdminServer.open({ host: "127.0.0.1", port: 0 }, recordingLog());
    const args = ["--kv-host", "1MiB", "--kv-disk", `4MiB:${folder}`];
    const parsed = parseConfig(kvbmSchema, { args, env: {} });
    assert.ok("config" in parsed);
    const kvbm = await startService(kvbmSpec, parsed.config, { ...host, admin });
    const ask = (...words: string[]) => run(...words, "--admin", admin.url);
    assert.deepEqual(await ask("ls"), { code: 0, said: "no blocks", warned: "" });
    const stat = await ask("stat");
    assert.match(stat.said, /^memory: 0 B of 1\.0 MB, 0 blocks, /);
    assert.match(stat.said, /\ndisk: 0 B of 4\.2 MB, 0 blocks, \/.*pixii-disk-/);
    const verified = await ask("verify");
    assert.match(verified.said, /^memory: 0 blocks.*all whole\ndisk: 0 blocks, .*: all whole$/);
    assert.equal((await ask("drop", "m")).said, "dropped 0 blocks from memory, 0 from disk");
    const json = JSON.parse((await ask("drop", "--all", "--json")).said);
    assert.deepEqual(json, { kvbm: admin.url, host: 0, disk: 0 });

    const ready = `${folder}/ready.json`;
    const facts = { models: ["m"], processes: [{ service: "kvbm", admin: admin.url }] };
    await Deno.writeTextFile(ready, JSON.stringify(facts));
    assert.equal((await run("ls", "--ready-file", ready)).said, "no blocks");
    await kvbm.stop();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("kv says what is wrong with a command line, and that nobody answers", async () => {
  for (
    const [args, problem] of [
      [[], /Cannot do nothing: name one of ls, stat, verify, drop/],
      [["list"], /Cannot do "list"/],
      [["drop"], /name one model, or say --all/],
      [["drop", "m", "--all"], /not both/],
      [["ls", "m"], /it takes no name/],
      [["ls"], /give --admin URL, --ready-file PATH, or --etcd URL/],
      [["ls", "--ready-file", "/nowhere"], /is deno task dev running with it\?/],
      [["ls", "--amin", "x"], /did you mean --admin\?/],
    ] as const
  ) {
    const { code, warned } = await run(...args);
    assert.equal(code, 2, args.join(" "));
    assert.match(warned, problem);
  }
  const { code, warned } = await run("stat", "--admin", "http://127.0.0.1:9");
  assert.equal(code, 1);
  assert.match(warned, /Cannot ask the kvbm at http:\/\/127\.0\.0\.1:9/);
  assert.match((await run("--help")).said, /deno task kv verify --etcd URL/);
});

Deno.test("lsLines() and statLines() say sizes as people read them, and verifyLines() what was found", () => {
  const none = { blocks: 0, bytes: 0 };
  const layout = {
    ...{ layout: "ab".repeat(8), fingerprint: "llama/f16/64", models: [modelHashOf("m")] },
    ...{ blockSize: 64, slotBytes: 1_478_656 },
    ...{ host: none, disk: { blocks: 700, bytes: 700 * 1_478_656 } },
  };
  const names = new Map<ModelHash, string>([[modelHashOf("m"), "smollm2"]]);
  const [head, line] = lsLines({ layouts: [layout] }, names);
  assert.match(head, /^MODEL +LAYOUT +TOKENS A BLOCK +BLOCK +MEMORY +DISK$/);
  assert.match(line, /^smollm2 +llama\/f16\/64 +64 +1\.5 MB +- +700 \(1\.0 GB\)$/);
  const [unknown] = lsLines({ layouts: [{ ...layout, models: [], fingerprint: "" }] }, names).slice(
    1,
  );
  assert.match(unknown, /^\(unknown\) +abababababababab /);

  const lines = statLines({
    host: {
      ...{ path: "/dev/shm/p", bytes: 536_870_912, usedBytes: 1_000_000, blocks: 7 },
      counts: { hits: 5, misses: 4, evictions: 3, damaged: 0 },
    },
    disk: {
      ...{ folder: "/kv", bytes: 64e9, usedBytes: 1e9, blocks: 700, off: true, direct: false },
      counts: { hits: 9, evictions: 2, damaged: 1, readErrors: 8, writeErrors: 1 },
      queue: { writes: 3 },
      read: { bytes: 2e9, bytesPerSecond: 1.9e9 },
      written: { bytes: 0, bytesPerSecond: 0 },
    },
  });
  assert.deepEqual(lines, [
    "memory: 1.0 MB of 536.9 MB, 7 blocks, /dev/shm/p",
    "  5 hits, 4 misses, 3 evicted, 0 damaged",
    "disk: 1.0 GB of 64.0 GB, 700 blocks, /kv (through the page cache)",
    "  OFF until the next start: the disk failed",
    "  9 hits, 2 evicted, 1 damaged, 9 errors",
    "  read 2.0 GB at 1.9 GB/s, written 0 B, 3 blocks wait to be written",
  ]);
  assert.deepEqual(lsLines({ off: true }, names), statLines({ off: true }));
  const whole = { blocks: 7, bytes: 1e6, damaged: 0, unreadable: 0, ms: 3 };
  assert.deepEqual(verifyLines({ host: whole, disk: { ...whole, damaged: 2 } }), [
    "memory: 7 blocks, 1.0 MB in 3 ms: all whole",
    "disk: 7 blocks, 1.0 MB in 3 ms: 2 damaged (dropped), 0 unreadable",
  ]);
});
