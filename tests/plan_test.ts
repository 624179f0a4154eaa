import assert from "node:assert/strict";
import { runPlan } from "@pixii/cluster/plan";
import { encode, encodeRecord, keys, modelHashOf, subjects } from "@pixii/wire";
import type { InstanceId, LoadReport, Role } from "@pixii/wire";
import {
  connectBus,
  connectRegistry,
  findServer,
  recordingLog,
  seededChance,
  startEtcd,
  startNats,
  systemClock,
} from "@pixii/runtime";
import { adminOf } from "./program_admin.ts";
import { startProgram } from "./stack.ts";
import { until } from "./until.ts";

const isThere = await findServer("nats-server") !== undefined &&
  await findServer("etcd") !== undefined;
const model = "org/a model";
const signal = new AbortController().signal;
const chance = seededChance(7);

async function plan(...args: string[]) {
  const [said, warned]: [string[], string[]] = [[], []];
  const code = await runPlan(args, {
    ...{ env: { USER: "alice" }, clock: systemClock(), chance, signal },
    ...{ log: recordingLog(), say: (line) => said.push(line), warn: (line) => warned.push(line) },
  });
  return { code, out: said.join("\n"), err: warned.join("\n") };
}

/** Whether a planner says something now. */
function says(text: string, ask: readonly string[]) {
  return async () => (await plan(...ask)).out.includes(text);
}

/** Cards of workers in etcd, and their reports on NATS until disposed. They change no role. */
async function standInWorkers(roles: readonly Role[], nats: string, etcd: string) {
  const clock = systemClock();
  const log = recordingLog();
  const bus = await connectBus(nats, { clock, log, signal });
  const registry = await connectRegistry(etcd, { clock, log, signal });
  assert.ok(bus.ok && registry.ok);
  const hash = modelHashOf(model);
  const workers = roles.map((role, i) => ({
    role,
    instance: (i + 1).toString(16).padStart(16, "a") as InstanceId,
  }));
  for (const { role, instance } of workers) {
    const card = encodeRecord("model", {
      ...{ name: model, hash, instance, engine: "sim", role, modelDigest: "ab" },
      ...{ contextLength: 8192, blockSize: 64, totalBlocks: 128, kvBytesPerToken: 1 },
      ...{ layoutFingerprint: "f", reuse: "blocks", dpSize: 1, tpSize: 1, slidingWindow: 0 },
      ...{ maxSeqs: 8, vocabSize: 100, artifactDigest: "cd", artifactBytes: 1 },
      ...{ eosTokenIds: [2], createdAt: 0 },
    });
    await registry.value.register(keys("test").model(hash, instance), card);
  }
  const report = () => {
    for (const { role, instance } of workers) {
      const load: LoadReport = {
        ...{ instance, dpRank: 0, model: hash, role, draining: false, running: 0, waiting: 0 },
        ...{ maxSeqs: 8, prefillTokens: 0, activeBlocks: 0, cachedBlocks: 0, totalBlocks: 128 },
        ...{ stepCount: 0, stepAgeMs: 0, kvEventNumber: 0, activeStreams: 0 },
        ...{ activeDigestHi: 0, activeDigestLo: 0, prefillRate: 0, decodeRate: 0 },
      };
      bus.value.publish(subjects("test").load(instance), encode("loadReport", load));
    }
  };
  report();
  const timer = clock.every(250, report);
  return {
    workers,
    registry: registry.value,
    async [Symbol.asyncDispose]() {
      timer[Symbol.dispose]();
      await registry.value[Symbol.asyncDispose]();
      await bus.value[Symbol.asyncDispose]();
    },
  };
}

Deno.test({
  name:
    "plan over real NATS and etcd: orders steer a planner that acts, the history tells it, every decision is made again",
  ignore: !isThere,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "pixii-plan-" });
    const file = `${folder}/h.jsonl`;
    await using nats = await startNats();
    await using etcd = await startEtcd();
    const flags = ["--nats", nats.url, "--etcd", etcd.url, "--namespace", "test"];
    await using stand = await standInWorkers(["prefill", "decode", "decode"], nats.url, etcd.url);
    const acting = ["--mode", "act", "--reactive", "250ms", "--flip-timeout", "1s"];
    const planner = startProgram("planner", [...flags, ...acting, "--history-file", file], {
      more: [`--allow-write=${file},${file}.1`],
    });
    await using _last = { [Symbol.asyncDispose]: () => planner.end("SIGKILL").then(() => {}) };
    // Without the permission it says what is missing, and does not start.
    const bound = startProgram("planner", [...flags, "--history-file", file]);
    const at = ["--etcd", etcd.url, "--namespace", "test"];
    await until("the planner is there", () => adminOf(planner) !== "");
    const ask = ["--admin", adminOf(planner)];
    await until("it knows the model", says("there is: 1 prefill + 2 decode", ask));
    assert.match((await plan(...at)).out, /^planner \w{16} acts\n/);
    assert.equal(await bound.end("SIGCONT"), 2);
    assert.match(bound.lines.join(), /start it with --allow-write=\S+h\.jsonl,\S+h\.jsonl\.1/);

    const pin = ["pin", "--model", model, "--reason", "a drill", ...at];
    const pinned = await plan(...pin, "--prefill", "2", "--decode", "1", "--for", "10m");
    assert.equal(pinned.code, 0, pinned.err);
    assert.match(
      pinned.out,
      /^given: o\w{8}, pin of org\/a model to 2 prefill \+ 1 decode until \S+ \(10m\): a drill \(alice\)$/,
    );
    const [id] = /o\w{8}/.exec(pinned.out)!;
    const text = await stand.registry.list(keys("test").orders);
    assert.ok(text.ok && text.value.length === 1);
    const history = () => plan("--history", "--json", "--model", model, ...ask);
    const moved = (out: string) =>
      out.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line)).find((line) =>
        line.kind === "plan" && line.acts?.some(({ ok }: { ok: boolean }) => ok)
      );
    await until(
      "the planner asks for a flip",
      async () => moved((await history()).out) !== undefined,
    );
    const decision = moved((await history()).out);
    const wish = await stand.registry.list(keys("test").desires);
    assert.ok(wish.ok && wish.value[0].value.includes('"role":"prefill"'));

    // Not to where that decision leads, while the pin still wants it.
    const name = `${decision.by}.${decision.record.id}`;
    const vetoed = await plan("veto", "--decision", name, "--reason", "too soon", ...at);
    assert.match(vetoed.out, new RegExp(`veto of decision ${name}: not to 2 prefill \\+ 1 decode`));
    // The wish that was asked for is taken back first: what is on its way is not undone.
    for (const { instance } of stand.workers) {
      await stand.registry.remove(keys("test").desired(instance));
    }
    await until(
      "the planner obeys the veto",
      says("bound by: vetoed by an operator: too soon", ask),
    );
    const dry = await plan("--dry-run", ...ask);
    assert.equal(dry.code, 0, dry.err);
    assert.match(dry.out, /by a copy of its core:\nmodel org\/a model: no move\n/);

    const still = await plan("veto", "--decision", `${decision.by}.1`, "--reason", "x", ...at);
    assert.deepEqual([still.code, /it leads nowhere/.test(still.err)], [2, true]);
    const [paused, gone] = [
      await plan("pause", "--reason", "deploying", "--for", "1s", ...at),
      await plan("veto", "--worker", "ffff", "--reason", "x", ...at),
    ];
    assert.match(paused.out, /pause of all models until \S+ \(1s\): deploying/);
    assert.deepEqual([gone.code, /Cannot tell which worker ffff is/.test(gone.err)], [3, true]);
    await until("the planner is paused", says("bound by: paused by an operator: deploying", ask));
    const taken = await plan("resume", id, ...at);
    assert.match(taken.out, /^taken back: o\w{8}, pin of org/);
    assert.equal((await plan("resume", id, ...at)).code, 3);
    const strange = await plan("pause", "--model", "other", "--reason", "x", ...at);
    assert.deepEqual([strange.code, /there is org\/a model/.test(strange.err)], [3, true]);
    // It runs out by itself.
    await until("the pause is over", async () => {
      return !(await plan(...ask)).out.includes("pause of all models");
    });
    assert.equal((await plan("resume", "--all", ...at)).code, 0);
    const live = await plan("--replay", ...ask);
    assert.match(live.out, /Made again: \d+ steps; \d+ kept records, all equal, bit for bit\./);
    assert.equal(live.code, 0);
    assert.equal(await planner.end("SIGTERM"), 0);
    const kept = await plan("--replay", "--file", file);
    assert.match(kept.out, /all equal, bit for bit\.$/, kept.err);
    assert.match(
      (await plan("--history", "--file", file)).out,
      /flip a+\d\.0 from decode to prefill/,
    );
    // Nobody is registered any more, and then not even a registry is there.
    const none = await plan(...at);
    assert.deepEqual([none.code, /none is registered/.test(none.err)], [3, true]);
    await Deno.remove(folder, { recursive: true });
  },
});
