import assert from "node:assert/strict";
import { decodeRecord, encode, encodeRecord, keys, modelHashOf, subjects } from "@pixii/wire";
import type { InstanceId, ScaleRecord } from "@pixii/wire";
import { parseConfig, startService, VirtualClock } from "@pixii/runtime";
import type { RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import { plannerSchema } from "./config.ts";
import { replayPlans } from "./core/mod.ts";
import { FakeLauncher } from "./fake_launcher_testing.ts";
import { plannerSpec } from "./service.ts";
import type { InputsView, PlanView } from "./service.ts";

const frontend = "00000000000000f1" as InstanceId;
const acts = ["--mode", "act", "--scale", "launcher"];

/** Planners, a launcher that starts in 10 s and drains in 2 s, and a frontend that says what waits. */
async function world(args: readonly string[]) {
  const clock = new VirtualClock();
  const host = testHost({ clock });
  const launcher = await FakeLauncher.open(host, { clock, startMs: 10_000, drainMs: 2_000 });
  const { bus, registry } = host.connect();
  const waiting = new Map<string, number>();
  const tell = () => {
    for (const [model, count] of waiting) {
      // A frontend's requests go on as soon as there is a worker.
      if (launcher.of(model).length > 0) waiting.delete(model);
      const none = { prefillTokens: 0, completed: 0, firstTokens: 0, ttftSumMs: 0 };
      const models = [{ model: modelHashOf(model), booked: 0, ...none, waiting: count }];
      if (waiting.has(model)) {
        bus.publish(
          subjects("default").demand(frontend),
          encode("demandReport", { frontend, models }),
        );
      }
    }
  };
  const telling = clock.every(1_000, tell);
  const planner = async (): Promise<RunningService> => {
    const parsed = parseConfig(plannerSchema, { args: [...acts, ...args], env: {} });
    assert.ok("config" in parsed, JSON.stringify(parsed));
    return await startService(plannerSpec, parsed.config, { ...host, ...host.connect() });
  };
  return {
    ...{ clock, host, launcher, planner, registry },
    /** A request comes for a model that has no worker. */
    ask: (model: string, count = 1) => {
      waiting.set(model, count);
      tell();
    },
    scaleOf: async (model: string): Promise<ScaleRecord> => {
      const got = await registry.list(keys("default").scale(modelHashOf(model)));
      assert.ok(got.ok && got.value.length === 1);
      const record = decodeRecord("scale", got.value[0].value);
      assert.ok(record.ok);
      return record.value;
    },
    async [Symbol.asyncDispose]() {
      telling[Symbol.dispose]();
      launcher[Symbol.dispose]();
      await host[Symbol.asyncDispose]();
    },
  };
}

const viewOf = (running: RunningService) =>
  running.service.adminRoutes!["/plan"](new URL("http://x/plan")) as PlanView;

/** `stop a`, `start a`: without their times. */
const steps = (launcher: FakeLauncher) => launcher.log.map((line) => line.replace(/^\S+ /, ""));

Deno.test("planner puts a model to sleep that nobody asks for, keeps it known, and wakes it at once for a request", async () => {
  await using all = await world(["--sleep-after", "2m", "--sleep-after", "b=never", "--gpus", "4"]);
  const { clock, launcher, planner, ask, scaleOf } = all;
  const first = await planner();
  const [a] = [await launcher.start("a"), await launcher.start("b")];
  a.load = { running: 1 };
  await clock.advance(180_000);
  assert.deepEqual(
    launcher.log.filter((line) => !line.includes("up")),
    [],
    "what runs stays awake",
  );
  a.load = {};
  await clock.advance(130_000);
  assert.deepEqual(steps(launcher), ["up a", "up b", "stop a", "gone a"]);
  const asleep = await scaleOf("a");
  assert.deepEqual([asleep.workers, asleep.card?.name], [0, "a"]);
  assert.match(asleep.reason, /goes to sleep: nobody asked for it for 12\d s/);
  assert.equal(
    viewOf(first).models[modelHashOf("a")]?.plan?.record.bound,
    "asleep: nobody asks for it",
  );
  // Another planner that knows nothing of before sees it asleep, and wakes it.
  await first.stop();
  const second = await planner();
  await clock.advance(60_000);
  const askedMs = clock.nowMs();
  ask("a", 3);
  await clock.advance(1_000);
  assert.equal(steps(launcher).at(-1), "start a");
  assert.ok(clock.nowMs() - askedMs <= 1_000, "sooner than its next step");
  const woken = await scaleOf("a");
  assert.deepEqual([woken.workers, woken.startRole, woken.card?.name], [1, "both", "a"]);
  assert.match(woken.reason, /wakes: 3 requests wait for it/);
  await clock.advance(60_000);
  assert.deepEqual(steps(launcher).slice(4), ["start a", "up a"], "one is started, once");
  await clock.advance(130_000);
  assert.equal(steps(launcher).at(-1), "gone a", "it sleeps again");
  const inputs = second.service.adminRoutes!["/plan/inputs"](new URL("http://x/")) as InputsView;
  const lines = inputs.lines!.map((line) => JSON.parse(line));
  assert.ok(lines.some(({ isEarly }) => isEarly === true));
  const kept = second.service.adminRoutes!["/plan/history"](new URL("http://x/")) as {
    lines: { kind: string; by: string; record: never }[];
  };
  const plans = kept.lines.filter(({ kind }) => kind === "plan");
  const again = replayPlans(lines, plans);
  assert.deepEqual([again.different, again.missing, again.equal], [[], 0, plans.length]);
  await second.stop();
});

Deno.test("two models on one GPU: it goes to the one that is waited for, and never are both there", async () => {
  await using all = await world(["--sleep-after", "1h", "--gpus", "1"]);
  const { clock, launcher, planner, ask } = all;
  const running = await planner();
  await launcher.start("a");
  await launcher.start("b");
  await clock.advance(20_000);
  assert.equal(launcher.most, 2, "an operator started both");
  assert.deepEqual(steps(launcher).slice(2), ["stop b", "gone b"], "one of them is too many");
  launcher.most = 0;
  ask("b");
  const askedMs = clock.nowMs();
  for (; launcher.of("b").length === 0; await clock.advance(250)) {
    assert.ok(clock.nowMs() - askedMs < 30_000, launcher.log.join(", "));
  }
  assert.deepEqual(steps(launcher).slice(4), ["stop a", "gone a", "start b", "up b"]);
  assert.ok(clock.nowMs() - askedMs <= 18_000, `${clock.nowMs() - askedMs} ms`);
  assert.ok(launcher.reasons.some((one) => /gives way: requests wait for b/.test(one)));
  // While it is asked for it keeps its turn; then they change places.
  launcher.of("b")[0].load = { running: 2 };
  ask("a");
  await clock.advance(40_000);
  assert.deepEqual(steps(launcher).slice(8), []);
  await clock.advance(60_000);
  assert.deepEqual(steps(launcher).slice(8), ["stop b", "gone b", "start a", "up a"]);
  assert.equal(launcher.most, 1, "never more than the budget");
  assert.deepEqual(viewOf(running).problems.filter((one) => !/profile/.test(one)), []);
  await running.stop();
});

Deno.test("paused planners neither wake nor put to sleep; a pin of no workers holds against requests", async () => {
  await using all = await world(["--sleep-after", "1m", "--gpus", "2"]);
  const { clock, launcher, planner, registry, ask } = all;
  const running = await planner();
  await launcher.start("a");
  const order = (id: string, more: object) =>
    registry.put(
      keys("default").order(id),
      encodeRecord("planOrder", {
        ...{ id, kind: "pause", reason: "a test", by: "operator", givenAt: "now", forMs: 60_000 },
        ...more,
      }),
    );
  await order("p", {});
  await clock.advance(200_000);
  assert.deepEqual(steps(launcher), ["up a"]);
  await order("q", { kind: "pin", model: "a", counts: { prefill: 0, decode: 0, both: 0 } });
  await registry.remove(keys("default").order("p"));
  await clock.advance(20_000);
  assert.deepEqual(steps(launcher), ["up a", "stop a", "gone a"]);
  ask("a");
  await clock.advance(30_000);
  assert.equal(steps(launcher).at(-1), "gone a");
  await registry.remove(keys("default").order("q"));
  await clock.advance(20_000);
  assert.equal(steps(launcher).at(-1), "up a");
  await running.stop();
});

Deno.test("planner says where models are to sleep and nobody stops workers", async () => {
  await using all = await world([]);
  const parsed = parseConfig(plannerSchema, { args: ["--sleep-after", "1h"], env: {} });
  assert.ok("config" in parsed);
  const running = await startService(plannerSpec, parsed.config, all.host);
  await all.launcher.start("a");
  await all.clock.advance(10_000);
  assert.ok(viewOf(running).problems.some((one) => /--sleep-after needs .* see --scale/.test(one)));
  await running.stop();
  for (const bad of ["5", "a=", "0s", "a=1.5h", "=1h"]) {
    assert.ok(
      "problems" in parseConfig(plannerSchema, { args: ["--sleep-after", bad], env: {} }),
      bad,
    );
  }
});
