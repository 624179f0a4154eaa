import assert from "node:assert/strict";
import { encode, encodeRecord, keys, modelHashOf, subjects } from "@pixii/wire";
import type { DemandReport, InstanceId, ModelCard, PlanOrder, WorkerProfile } from "@pixii/wire";
import { parseConfig, startService, VirtualClock } from "@pixii/runtime";
import type { MemoryRegistry, RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { plannerSchema } from "./config.ts";
import { replayPlans } from "./core/mod.ts";
import type { InputLine } from "./core/mod.ts";
import { FakeWorker, modelName } from "./fake_worker_testing.ts";
import type { HistoryLine } from "./plan_history.ts";
import { plannerSpec } from "./service.ts";
import type { InputsView, PlanView } from "./service.ts";

const names = keys("default");

/** A planner with a connection of its own, as a program of its own has. */
async function planner(host: TestHost, args: readonly string[]): Promise<Acting> {
  const parsed = parseConfig(plannerSchema, { args, env: {} });
  assert.ok("config" in parsed, JSON.stringify(parsed));
  const { bus, registry } = host.connect();
  const running = await startService(plannerSpec, parsed.config, { ...host, bus, registry });
  return { running, registry: registry as MemoryRegistry };
}

interface Acting {
  readonly running: RunningService;
  readonly registry: MemoryRegistry;
}

function planOf({ running }: Acting): PlanView {
  return running.service.adminRoutes!["/plan"](new URL("http://x/plan")) as PlanView;
}

function historyOf({ running }: Acting): readonly HistoryLine[] {
  const url = new URL("http://x/plan/history");
  return (running.service.adminRoutes!["/plan/history"](url) as { lines: HistoryLine[] }).lines;
}

function orderText(order: Partial<PlanOrder>): string {
  return encodeRecord("planOrder", {
    ...{ id: "o", kind: "pin", reason: "a test", by: "operator", givenAt: "now", forMs: 60_000 },
    ...order,
  });
}

async function desired(host: TestHost): Promise<readonly string[]> {
  const listed = await host.registry.list(names.desires);
  assert.ok(listed.ok);
  return listed.value.map(({ value }) => JSON.parse(value).role);
}

async function cardsOf(host: TestHost) {
  const listed = await host.registry.list(names.models);
  assert.ok(listed.ok);
  return listed.value;
}

async function world(
  roles: readonly ("prefill" | "decode")[],
  drainMs = 2_000,
  card: Partial<ModelCard> = {},
) {
  const clock = new VirtualClock();
  const host = testHost({ clock });
  const workers: FakeWorker[] = [];
  const parts = { ...host.connect(), clock, drainMs };
  for (const [at, role] of roles.entries()) {
    const mine = { ...host.connect(), clock, drainMs };
    workers.push(await FakeWorker.open(at + 1, role, mine, card));
  }
  const pin = (counts: PlanOrder["counts"]) =>
    host.registry.put(names.order("o"), orderText({ model: modelName, counts }), {
      ttlMs: 60_000,
    });
  return {
    ...{ clock, host, workers, pin, parts },
    async [Symbol.asyncDispose]() {
      for (const worker of workers) worker[Symbol.dispose]();
      await host[Symbol.asyncDispose]();
    },
  };
}

Deno.test("planner that acts asks one worker for its role, sees it change, and takes the wish away", async () => {
  await using all = await world(["prefill", "decode", "decode"]);
  const { clock, host, workers, pin } = all;
  const acting = await planner(host, ["--mode", "act"]);
  await pin({ prefill: 2, decode: 1, both: 0 });
  await clock.advance(5_000);
  assert.deepEqual(await desired(host), ["prefill"]);
  assert.ok(planOf(acting).leads);
  await clock.advance(30_000);
  assert.deepEqual(workers.flatMap(({ flips }) => flips), ["decode>prefill"]);
  assert.deepEqual(await desired(host), []);
  const lines = historyOf(acting);
  const plan = lines.find((line) => line.kind === "plan" && line.record.moves.length > 0);
  assert.ok(plan?.kind === "plan");
  assert.deepEqual([plan.mode, plan.acts[0].actuator, plan.acts[0].ok], ["act", "role-keys", true]);
  assert.ok(lines.some((line) => line.kind === "flip" && line.state === "done"));
  assert.match(await acting.running.metrics.text(), /moves_total\{.*kind="flip".*asked.*\} 1/);
  await acting.running.stop();
  const left = await host.registry.list(names.leader);
  assert.ok(left.ok && left.value.length === 0, "it lets the next one in at once");
});

Deno.test("planner that watches plans the same and moves nothing; a paused one neither", async () => {
  await using all = await world(["prefill", "decode", "decode"]);
  const { clock, host, pin } = all;
  const watching = await planner(host, []);
  await pin({ prefill: 2, decode: 1, both: 0 });
  await clock.advance(6_000);
  const plan = planOf(watching).models[modelHashOf(modelName)].plan;
  assert.deepEqual([plan?.mode, plan?.record.moves.length, plan?.acts], ["watch", 1, []]);
  assert.deepEqual(await desired(host), []);
  await host.registry.put(names.order("p"), orderText({ id: "p", kind: "pause" }), {
    ttlMs: 60_000,
  });
  const acting = await planner(host, ["--mode", "act"]);
  await clock.advance(20_000);
  assert.deepEqual(await desired(host), []);
  const { bound } = planOf(acting).models[modelHashOf(modelName)].plan!.record;
  assert.match(bound, /paused by an operator: a test/);
  await host.registry.remove(names.order("p"));
  await clock.advance(6_000);
  assert.deepEqual(await desired(host), ["prefill"]);
  for (const one of [watching, acting]) await one.running.stop();
});

Deno.test("planner says what a worker gave up, and asks again later", async () => {
  await using all = await world(["prefill", "decode", "decode"]);
  const { clock, host, workers, pin } = all;
  for (const worker of workers) worker.giveUpMs = 3_000;
  const acting = await planner(host, ["--mode", "act"]);
  await pin({ prefill: 2, decode: 1, both: 0 });
  await clock.advance(14_000);
  const gone = historyOf(acting).find((line) => line.kind === "flip");
  assert.ok(gone?.kind === "flip");
  assert.deepEqual([gone.state, gone.reason], ["gave-up", "2 streams still ran"]);
  for (const worker of workers) worker.giveUpMs = undefined;
  await clock.advance(30_000);
  assert.deepEqual(workers.flatMap(({ flips }) => flips), ["decode>prefill"]);
  await acting.running.stop();
});

Deno.test("of two planners one acts; where it dies in mid-move the other goes on, and no worker stays in between", async () => {
  await using all = await world(["prefill", "decode", "decode", "decode"], 12_000);
  const { clock, host, workers, pin } = all;
  const first = await planner(host, ["--mode", "act"]);
  const second = await planner(host, ["--mode", "act"]);
  await clock.advance(1_000);
  assert.deepEqual([planOf(first).leads, planOf(second).leads], [true, false]);
  await pin({ prefill: 2, decode: 2, both: 0 });
  await clock.advance(5_000);
  assert.equal(workers.filter(({ flip }) => flip?.state === "flipping").length, 1);
  // It dies: nothing of it reaches the registry any more.
  first.registry.cut();
  let both = 0;
  for (let ms = 0; ms < 40_000; ms += 250) {
    await clock.advance(250);
    if (planOf(first).leads && planOf(second).leads) both += 1;
  }
  assert.equal(both, 0, "never two at a time");
  assert.deepEqual([planOf(first).leads, planOf(second).leads], [false, true]);
  assert.deepEqual(workers.flatMap(({ flips }) => flips), ["decode>prefill"], "one flip, once");
  assert.ok(workers.every(({ flip }) => flip?.state !== "flipping"));
  assert.deepEqual(await desired(host), [], "the second has tidied up");
  assert.ok(historyOf(second).some((line) => line.kind === "flip" && line.state === "done"));
  for (const one of [first, second]) await one.running.stop();
});

Deno.test("planner keeps its last plan and says why where its rules or profiles are no good", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, '{"version":1,"model":"x"}');
  await using all = await world(["prefill", "decode"]);
  const { clock, host, pin } = all;
  const none = await planner(host, ["--mode", "act", "--gpus", "0", "--profiles", path]);
  await Deno.remove(path);
  await pin({ prefill: 1, decode: 1, both: 0 });
  await clock.advance(6_000);
  const { problems, models } = planOf(none);
  assert.ok(problems.some((one) => /budget must be 1 or more, got 0: raise --gpus/.test(one)));
  assert.ok(problems.some((one) => one.includes(`Cannot use the profile ${path}`)));
  assert.ok(problems.some((one) => /no measured profile of m with weights ab/.test(one)));
  assert.equal(models[modelHashOf(modelName)].plan, undefined);
  await none.running.stop();
  const impossible = await planner(host, ["--goal-ttft", "0ms"]);
  await clock.advance(6_000);
  assert.ok(planOf(impossible).problems.some((one) => /goals of m must be above 0 ms/.test(one)));
  // What was wrong with a model is not said of none.
  for (const { key } of await cardsOf(host)) await host.registry.remove(key);
  await clock.advance(6_000);
  assert.deepEqual(planOf(impossible).problems, []);
  await impossible.running.stop();
});

/** Times that let the core plan. */
const profile: WorkerProfile = {
  version: 1,
  ...{ model: "m", modelDigest: "ab", engine: "sim", engineVersion: "0", machine: "none" },
  ...{ measuredAt: "2026-01-01T00:00:00Z", about: "made up", blockSize: 64 },
  prefill: { newTokens: [0, 10_000], contextTokens: [0], ms: [[10], [10_010]] },
  decode: { sequences: [1, 64], contextTokens: [0, 10_000], ms: [[34, 44], [286, 926]] },
  onboardBlockMs: {},
};

Deno.test("every decision of a planner, from its file and from itself, is made again bit for bit", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/h.jsonl`;
  const card = { profile };
  await using all = await world(["prefill", "decode", "decode"], 2_000, card);
  const { clock, host, pin } = all;
  const flags = [
    "--mode",
    "act",
    "--scale",
    "virtual",
    "--goal-ttft",
    "8s",
    "--history-file",
    path,
  ];
  const acting = await planner(host, [...flags, "--predictive", "20s", "--start-time", "5s"]);
  const { bus } = host.connect();
  const model = modelHashOf(modelName);
  const frontend = "00000000000000f1" as InstanceId;
  for (let second = 0; second < 150; second++) {
    const booked = 1 + second % 4;
    const counts = { booked, prefillTokens: 900 * booked, completed: 0, firstTokens: booked };
    const served = {
      ...{ streams: booked, promptTokens: 1_000 * booked, cachedTokens: 100 * booked },
      ...{ outputTokens: 90 * booked, ttft: [[40, booked]], itl: [[20, booked]] },
    };
    const asked = { model, ...counts, ttftSumMs: 10, waiting: 0, served };
    const report = { frontend, models: [asked] } as unknown as DemandReport;
    bus.publish(subjects("default").demand(frontend), encode("demandReport", report));
    await clock.advance(1_000);
    if (second === 60) await pin({ prefill: 2, decode: 1, both: 0 });
    // More workers than before: the rules change in mid-run.
    if (second === 90) all.workers.push(await FakeWorker.open(9, "decode", all.parts, card));
  }
  const inputs = acting.running.service.adminRoutes!["/plan/inputs"](
    new URL("http://x"),
  ) as InputsView;
  await acting.running.stop();
  const text = await Deno.readTextFile(path);
  await Deno.remove(folder, { recursive: true });
  const lines = text.trim().split("\n").map((line) => JSON.parse(line));
  const isKept = ({ kind }: { kind: string }) => ["plan", "flip", "outcome"].includes(kind);
  const history = JSON.parse(JSON.stringify(historyOf(acting))) as HistoryLine[];
  assert.deepEqual(lines.filter(isKept), history);
  const records = history.flatMap((line) => line.kind === "flip" ? [] : [line]);
  assert.ok(records.some(({ record }) => record.forecast !== undefined));
  assert.ok(records.some(({ record }) => record.moves.length > 0));
  assert.ok(records.some((line) => line.kind === "outcome" && line.isDone));
  const ofFile = lines.filter((line) => !isKept(line)) as InputLine[];
  assert.ok(ofFile.filter(({ kind }) => kind === "rules").length > 1, "the budget grew");
  const good = { steps: 30, equal: records.length, different: [], missing: 0 };
  assert.deepEqual(replayPlans(ofFile, records), good);
  assert.deepEqual(replayPlans(inputs.lines!.map((line) => JSON.parse(line)), records), good);

  const [first, ...rest] = records;
  const lie = { ...first, record: { ...first.record, bound: "nothing" } };
  const { different, equal } = replayPlans(ofFile, [lie, ...rest]);
  assert.equal(equal, records.length - 1);
  assert.match(different[0].what, /^bound was "nothing" and is ".+"$/);
  const late = replayPlans(ofFile.filter(({ kind }) => kind !== "begin"), records);
  assert.deepEqual(
    [late.equal, late.missing],
    [0, records.length],
    "without its beginning none is",
  );
});

Deno.test("planner's history of one model has no changes of role of others", async () => {
  await using all = await world(["prefill", "decode", "decode"]);
  const acting = await planner(all.host, ["--mode", "act"]);
  await all.pin({ prefill: 2, decode: 1, both: 0 });
  await all.clock.advance(20_000);
  const of = (query: string) => {
    const route = acting.running.service.adminRoutes!["/plan/history"];
    return (route(new URL(`http://x/plan/history?${query}`)) as { lines: HistoryLine[] }).lines;
  };
  assert.ok(of(`model=${modelName}`).some(({ kind }) => kind === "flip"));
  assert.deepEqual(of("model=other"), []);
  assert.equal(of("last=1").length, 1);
  const [told] = of("words=1&last=9") as unknown as { words: string[] }[];
  assert.match(told.words.join(), /decision \w{16}\.\d+ of m, .*there is: 1 prefill \+ 2 decode/);
  await acting.running.stop();
});

Deno.test("planner with a file that it may not write says what to do, and does not start", {
  permissions: { write: false, read: true, env: true, sys: true, net: true },
}, async () => {
  await using all = await world(["prefill", "decode"]);
  await assert.rejects(
    planner(all.host, ["--history-file", "/tmp/h.jsonl"]),
    /this program may not: start it with --allow-write=\/tmp\/h\.jsonl,\/tmp\/h\.jsonl\.1/,
  );
});
