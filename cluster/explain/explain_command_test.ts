import assert from "node:assert/strict";
import {
  encode,
  encodeKvEvents,
  encodeRecord,
  encodeRouteRequest,
  keys,
  modelHashOf,
  subjects,
} from "@pixii/wire";
import type { InstanceId, LedgerEntry, ModelCard, RequestId, RouteHints } from "@pixii/wire";
import {
  AdminServer,
  parseConfig,
  recordingLog,
  startService,
  systemClock,
  VirtualClock,
} from "@pixii/runtime";
import type { RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import { routerSchema, routerSpec } from "@pixii/router";
import { runExplain } from "./explain_command.ts";

const model = "org/sample";
const hash = modelHashOf(model);
const names = subjects("default");
const blockSize = 16;

const instanceOf = (number: number) => number.toString(16).padStart(16, "0") as InstanceId;
const requestOf = (number: number) => number.toString(16).padStart(32, "0") as RequestId;
const frontend = instanceOf(0xf1);

function cardOf(number: number): ModelCard {
  return {
    ...{ name: model, hash, instance: instanceOf(number), engine: "sim", role: "both" },
    ...{ modelDigest: "d", contextLength: 8_192, blockSize, totalBlocks: 64 },
    ...{ kvBytesPerToken: 1, layoutFingerprint: "", reuse: "blocks", dpSize: 1, tpSize: 1 },
    ...{ slidingWindow: 0, maxSeqs: 8, vocabSize: 10, artifactDigest: "", artifactBytes: 0 },
    ...{ eosTokenIds: [], createdAt: 0 },
  };
}

/** Blocks `0` to `count` of prompt 1. */
function hashesOf(count: number) {
  return {
    hi: Uint32Array.from({ length: count }, () => 1),
    lo: Uint32Array.from({ length: count }, (_, i) => 100 + i),
  };
}

/** Routers on a real admin port each, and two workers that say what they are told to. */
class World implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly host = testHost({ clock: this.clock });
  readonly bus = this.host.connect().bus;
  readonly routers: RunningService[] = [];
  readonly admins: AdminServer[] = [];

  static async open(...args: string[]): Promise<World> {
    const world = new World();
    await world.router(...args);
    return world;
  }

  async router(...args: string[]): Promise<RunningService> {
    const parsed = parseConfig(routerSchema, { args, env: {} });
    assert.ok("config" in parsed, JSON.stringify(parsed));
    const admin = AdminServer.open({ host: "127.0.0.1", port: 0 }, recordingLog());
    this.admins.push(admin);
    const starting = startService(routerSpec, parsed.config, {
      ...{ ...this.host, ...this.host.connect(), admin },
    });
    let router: RunningService | undefined;
    void starting.then((started) => router = started);
    for (let i = 0; router === undefined && i < 2_000; i++) await this.clock.advance(10);
    this.routers.push(await starting);
    return await starting;
  }

  /** Workers 1 and 2; the second holds 3 blocks of prompt 1. */
  async workers(): Promise<void> {
    const { registry } = this.host.connect();
    for (const number of [1, 2]) {
      const card = cardOf(number);
      await registry.put(keys("default").model(hash, card.instance), encodeRecord("model", card));
    }
    await this.clock.advance(10);
    const numbers = Uint32Array.of(1, 2, 3);
    const epoch = instanceOf(2);
    this.bus.publish(
      names.kvEvents(epoch),
      encodeKvEvents({
        ...{ owner: epoch, epoch, model: hash, dpRank: 0, tier: "device", cacheGroup: 0 },
        ...{ blockSize, number: 1 },
        events: [{ op: "stored", parent: 0, numbers, ...hashesOf(3) }],
      }),
    );
    await this.clock.advance(10);
  }

  async place(number: number, hints?: RouteHints): Promise<void> {
    const request = encodeRouteRequest({
      ...{ requestId: requestOf(number), attempt: 0, leg: 0, frontend, isl: 64, maxTokens: 4 },
      ...{ remainingMs: 60_000, hashes: [{ blockSize, list: hashesOf(4) }], hints },
    });
    const asking = this.bus.request(names.route(hash), request, { timeoutMs: 1_000 });
    await this.clock.advance(5);
    assert.ok((await asking).ok);
  }

  async tell(...entries: LedgerEntry[]): Promise<void> {
    this.bus.publish(names.ledger, encode("ledgerBatch", { from: frontend, entries }));
    await this.clock.advance(5);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopping = this.routers.map((router) => router.stop(AbortSignal.abort()));
    let isDone = false;
    void Promise.all(stopping).then(() => isDone = true);
    for (let i = 0; !isDone && i < 2_000; i++) await this.clock.advance(10);
    for (const admin of this.admins) await admin[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
  }
}

async function explain(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runExplain(args, {
    ...{ env: {}, clock: systemClock(), log: recordingLog(), signal: new AbortController().signal },
    say: (line) => out.push(line),
    warn: (line) => err.push(line),
  });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

const two = `${instanceOf(2)}.0`;
const one = `${instanceOf(1)}.0`;

Deno.test("explain says why this worker, why not the other, what would have changed it and what came of it", async () => {
  await using world = await World.open();
  await world.workers();
  await world.place(7, { clientId: "my-id.7" });
  const key = { requestId: requestOf(7), attempt: 0, leg: 0 };
  await world.tell(
    { op: "first-token", ...key, cachedTokens: 48 },
    { op: "complete", ...key, outputTokens: 4, reason: "length" },
  );
  const { url } = world.admins[0];
  for (const id of [requestOf(7), "my-id.7"]) {
    const { code, out, err } = await explain(id, "--admin", url);
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, new RegExp(`request ${requestOf(7)} \\(x-request-id my-id\\.7\\)`));
    assert.match(out, new RegExp(`Why ${two}\n  It was the cheapest of 2\\.`));
    assert.match(out, /cost 5 blocks = prefill 1 \+ decode 4 \+ active 0/);
    assert.match(out, /1 x max\(0, \(0 waiting \+ 64 prompt tokens\) \/ 16 - 3 device x 1\)/);
    assert.match(out, new RegExp(`${one}: cost 8 blocks = .*, 3 blocks more`));
    assert.match(out, /it would have won with (3|4) more cached blocks/);
    assert.match(out, /48 of 64 prompt tokens came from caches; 48 were expected/);
    assert.match(out, /Ended after .* ms, 4 output tokens: length/);
  }
});

Deno.test("explain --replay is equal bit for bit, --what-if names the other worker, --json prints the record", async () => {
  await using world = await World.open();
  await world.workers();
  await world.place(8);
  const admin = ["--admin", world.admins[0].url];
  const replayed = await explain("--last", "--replay", ...admin);
  assert.equal(replayed.code, 0);
  assert.match(replayed.out, new RegExp(`Made again: equal, bit for bit \\(${two}, 2 costs\\)`));
  const denied = await explain("--last", "--what-if", `deny=${instanceOf(2)}`, ...admin);
  assert.match(denied.out, new RegExp(`With deny=${instanceOf(2)}: ${one} instead of ${two}`));
  const cold = await explain("--last", "--what-if=kv.device-credit=0", "--json", ...admin);
  const value = JSON.parse(cold.out);
  assert.equal(value.record.requestId, requestOf(8));
  assert.equal(value.whatIf.before, two);
  const warm = await explain("--last", "--what-if", "kv.temperature=0.5", ...admin);
  assert.match(
    warm.out,
    new RegExp(`With kv\\.temperature=0\\.5: (${one} instead of ${two}|${two} all)`),
  );
  const wrong = await explain("--last", "--what-if", "kv.heat=1", ...admin);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /kv\.temperature/);
});

Deno.test("explain asks every router and lists what they decided", async () => {
  await using world = await World.open();
  await world.router();
  await world.workers();
  for (let i = 1; i <= 8; i++) await world.place(i);
  const admins = world.admins.flatMap(({ url }) => ["--admin", url]);
  const list = await explain(...admins);
  assert.equal(list.out.split("\n").length, 8, list.out + list.err);
  for (let i = 1; i <= 8; i++) {
    const { code, out } = await explain(requestOf(i), "--replay", ...admins);
    assert.equal(code, 0);
    assert.match(out, /Made again: equal/);
  }
  const unknown = await explain("nobody", ...admins);
  assert.equal(unknown.code, 3);
  assert.match(unknown.err, /No decision of request nobody: this router keeps its last 1024/);
});

Deno.test("explain reads the decision file of a router that is gone, outcomes joined", async () => {
  const folder = await Deno.makeTempDir({ prefix: "pixii-explain-" });
  const path = `${folder}/decisions.jsonl`;
  {
    await using world = await World.open("--decisions-file", path);
    await world.workers();
    await world.place(9, { clientId: "mine" });
    await world.clock.advance(300);
    const key = { requestId: requestOf(9), attempt: 0, leg: 0 };
    await world.tell({ op: "complete", ...key, reason: "cancelled" });
  }
  const { code, out } = await explain("mine", "--file", path, "--replay");
  assert.equal(code, 0);
  assert.match(out, /: cancelled\./);
  assert.match(out, /Made again: equal/);
  await Deno.writeTextFile(path, "{ not a line\n", { append: true });
  const damaged = await explain("mine", "--file", path);
  assert.equal(damaged.code, 0);
  assert.match(damaged.err, /1 lines of .* could not be read/);
  const missing = await explain("other", "--file", path);
  assert.equal(missing.code, 3);
  assert.match(missing.err, /No decision of request other is in/);
  assert.equal((await explain("other", "--file", `${folder}/none`)).code, 3);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("explain says what is wrong with what it is asked", async () => {
  assert.equal((await explain("--help")).code, 0);
  const unsure = await explain("--last");
  assert.equal(unsure.code, 2);
  assert.match(unsure.err, /--admin URL, --ready-file PATH, --etcd URL, or --file PATH/);
  const both = await explain("x", "y", "--last");
  assert.deepEqual([both.code, both.err.split("\n").length], [2, 2]);
  const typo = await explain("--adminn", "x");
  assert.match(typo.err, /did you mean --admin/i);
  const away = await explain("x", "--admin", "http://127.0.0.1:9");
  assert.equal(away.code, 1);
  assert.match(away.err, /Cannot ask the router at http:\/\/127\.0\.0\.1:9/);
  const noFile = await explain("x", "--ready-file", "/nowhere/ready.json");
  assert.equal(noFile.code, 2);
  assert.match(noFile.err, /is deno task dev running/);
});
