import assert from "node:assert/strict";
import { encodeRecord, keys, modelHashOf } from "@pixii/wire";
import type { PlanOrder } from "@pixii/wire";
import { parseConfig, startService, VirtualClock } from "@pixii/runtime";
import type { MemoryRegistry, RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { plannerSchema } from "./config.ts";
import { FakeWorker, modelName } from "./fake_worker_testing.ts";
import type { HistoryLine } from "./plan_history.ts";
import { plannerSpec } from "./service.ts";
import type { PlanView } from "./service.ts";

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

async function world(roles: readonly ("prefill" | "decode")[], drainMs = 2_000) {
  const clock = new VirtualClock();
  const host = testHost({ clock });
  const workers: FakeWorker[] = [];
  for (const [at, role] of roles.entries()) {
    const parts = { ...host.connect(), clock, drainMs };
    workers.push(await FakeWorker.open(at + 1, role, parts));
  }
  const pin = (counts: PlanOrder["counts"]) =>
    host.registry.put(names.order("o"), orderText({ model: modelName, counts }), {
      ttlMs: 60_000,
    });
  return {
    ...{ clock, host, workers, pin },
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
  await impossible.running.stop();
});

Deno.test("planner appends its decisions to a file", async () => {
  const folder = await Deno.makeTempDir();
  await using all = await world(["prefill", "decode", "decode"]);
  const { clock, host, pin } = all;
  const acting = await planner(host, ["--mode", "act", "--history-file", `${folder}/h.jsonl`]);
  await pin({ prefill: 2, decode: 1, both: 0 });
  await clock.advance(20_000);
  await acting.running.stop();
  const lines = (await Deno.readTextFile(`${folder}/h.jsonl`)).trim().split("\n");
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    JSON.parse(JSON.stringify(historyOf(acting))),
  );
  assert.ok(lines.length > 1);
});
