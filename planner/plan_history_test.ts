import assert from "node:assert/strict";
import { parseConfig, recordingLog, VirtualClock } from "@pixii/runtime";
import type { Metrics } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { InstanceId } from "@pixii/wire";
import { VirtualActuator } from "./actuators/virtual.ts";
import type { Actuator } from "./actuators/actuator.ts";
import { plannerSchema } from "./config.ts";
import type { InputLine, PlanRecord } from "./core/mod.ts";
import { HistoryFile } from "./history_file.ts";
import { doneWords, historyLine, historyWords } from "./history_words.ts";
import { plannerMetrics } from "./metrics.ts";
import { Mover } from "./mover.ts";
import type { HistoryLine } from "./plan_history.ts";
import { PlanInputs } from "./plan_inputs.ts";
import { openRegistryView } from "./registry_view.ts";

const worker = "0000000000000003" as InstanceId;
const mix = { rate: 3.2, isl: 812, newTokens: 402, osl: 120 };
const [have, want] = [{ prefill: 1, decode: 2, both: 0 }, { prefill: 2, decode: 1, both: 0 }];
const record: PlanRecord = {
  ...{ id: 17, atMs: 60_000, model: "m", loop: "predictive", now: mix },
  planned: { ...mix, rate: 3.85 },
  forecast: { name: "holt-winters", rate: 3.5, error: 0.124, aheadMs: 65_000 },
  ...{ have, want, bound: "", expectedRate: 3.7 },
  candidates: [
    { name: "keep", counts: have, gpus: 3, goodput: 0.71 },
    { name: "need", counts: want, gpus: 3, goodput: 0.96 },
  ],
  moves: [{
    ...{ kind: "flip", model: "m", rank: { instance: worker, dpRank: 0 }, reason: "prompts" },
    ...{ from: "decode", to: "prefill" },
  }],
};
const at = "2026-01-01T00:01:00.000Z";
const kept = { kind: "plan", record, by: "a1", at, mode: "act" } as const;
const asked = { actuator: "role-keys", order: "a1.17", ok: true };

Deno.test("historyLine() and historyWords() tell what was seen, foretold, weighed, done, and what came of it", () => {
  const plan: HistoryLine = { ...kept, acts: [asked] };
  assert.equal(
    historyLine(plan),
    `${at} m: decision a1.17 (predictive) flip 0000000000000003.0 from decode to prefill: 1 prefill + 2 decode -> 2 prefill + 1 decode`,
  );
  assert.deepEqual(historyWords(plan), [
    `decision a1.17 of m, ${at}, predictive loop`,
    "asked: 3.20 requests/s of 812 prompt tokens, 402 of them to compute, and 120 output tokens",
    "forecast: 3.50 requests/s in 65 s by holt-winters, of late 12 % off",
    "planned for: 3.85 requests/s",
    "there is: 1 prefill + 2 decode; wanted: 2 prefill + 1 decode",
    "as it is: 1 prefill + 2 decode, would serve 71 % of it",
    "what it takes: 2 prefill + 1 decode, would serve 96 % of it",
    "move: flip 0000000000000003.0 from decode to prefill",
    "expected: 3.70 requests/s within the goal",
    "done: asked for by role-keys",
  ]);
  const outcome = { ...record, outcome: { atMs: 185_000, ttftP95Ms: 412.3 } };
  const came: HistoryLine = { kind: "outcome", record: outcome, by: "a1", at, isDone: false };
  assert.match(historyLine(came), /came to p95 first token 412 ms, further ones \? ms \(its moves/);
  assert.match(
    historyWords(came).at(-1)!,
    /^after 125 s: 95 of 100 first tokens within 412 ms, further ones within unknown$/,
  );
  assert.match(historyLine({ ...plan, mode: "watch" }), /\(predictive\) would flip 0/);
  assert.match(doneWords({ ...plan, mode: "watch", acts: [] }).join(), /the planner watches/);
  assert.match(doneWords({ ...plan, mode: "standby", acts: [] }).join(), /another planner acts/);
  const failed = { ...asked, ok: false, error: "etcd is away" };
  assert.deepEqual(doneWords({ ...plan, acts: [failed] }), [
    "not done by role-keys: etcd is away",
  ]);
  const blind: PlanRecord = {
    ...{ ...record, now: undefined, planned: undefined, forecast: undefined, moves: [] },
    ...{ want: have, bound: "no word of demand lately: the last plan stands", expectedRate: 0 },
  };
  assert.deepEqual(historyWords({ ...kept, record: blind, acts: [] }).slice(1), [
    ...["asked: not known", "forecast: none yet"],
    "there is: 1 prefill + 2 decode; wanted: 1 prefill + 2 decode",
    "bound by: no word of demand lately: the last plan stands",
    "moves: none",
  ]);
  const flip = { kind: "flip", instance: worker, order: "a1.17", to: "prefill", at } as const;
  assert.match(historyLine({ ...flip, model: "m", state: "done" }), /m: worker .* is prefill now/);
  assert.match(
    historyLine({ ...flip, state: "gave-up", reason: "2 streams still ran" }),
    /\?: worker .* was to be prefill: gave-up \(2 streams still ran\)/,
  );
});

Deno.test("Mover: an actuator that throws is told of, and keeps no other from its moves", async () => {
  const clock = new VirtualClock();
  const log = recordingLog();
  await using host = testHost({ clock });
  const view = await openRegistryView(host.registry, "default", log);
  assert.ok(view.ok);
  using open = view.value;
  const bad: Actuator = {
    ...{ name: "bad", kinds: ["flip"] },
    apply: () => Promise.reject(new Error("a bug")),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const good = new VirtualActuator(["start"]);
  const [counter, gauge] = [() => ({ add: () => {} }), () => ({ set: () => {} })];
  const metrics = plannerMetrics({ counter, gauge } as unknown as Metrics);
  const mover = new Mover({
    ...{ instance: worker, registry: host.registry, namespace: "default", view: open, clock },
    ...{ actuators: [bad, good], log, metrics, mayAct: () => true },
  });
  const start = { kind: "start", model: "m", role: "prefill", reason: "prompts" } as const;
  const notes = await mover.carry({ ...record, moves: [...record.moves, start] });
  assert.deepEqual(notes.map(({ ok, error }) => [ok, error]), [
    [false, "Cannot ask bad: a bug"],
    [true, undefined],
  ]);
  assert.equal(good.orders.length, 1);
});

Deno.test("HistoryFile begins anew at its limit, keeps one older part, and says once that it cannot write", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/h.jsonl`;
  const log = recordingLog();
  const line = { kind: "begin", by: "a1", at, version: "x".repeat(100) } as const;
  // Each is written for itself: the limit is looked at between two writes.
  for (let i = 0; i < 8; i++) {
    await using file = await HistoryFile.open({ path, maxBytes: 400, log });
    file.add(line);
  }
  const parts = await Promise.all([path, `${path}.1`].map((one) => Deno.readTextFile(one)));
  for (const text of parts) {
    assert.ok(text.length > 0 && text.length <= 400, `${text.length}`);
    for (const one of text.trim().split("\n")) assert.deepEqual(JSON.parse(one), line);
  }
  await assert.rejects(
    HistoryFile.open({ path: `${folder}/none/h`, maxBytes: 400, log }),
    /Cannot write --history-file .*name another file or make its folder/,
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("PlanInputs keeps nothing in memory any more once it is too much, and goes on telling its listener", () => {
  const heard: InputLine[] = [];
  const inputs = new PlanInputs({
    ...{ by: "a1", at, version: "1", mostBytes: 2_000 },
    listener: (line) => heard.push(line),
  });
  const rules = { models: [], budgetGpus: 1 } as never;
  const step = (nowMs: number) =>
    inputs.step({ rules, seen: { nowMs, models: [] }, overrides: [] });
  step(1);
  assert.deepEqual(inputs.lines?.map((text) => JSON.parse(text).kind), ["begin", "rules", "step"]);
  for (let ms = 2; ms < 100; ms++) step(ms);
  assert.equal(inputs.lines, undefined);
  assert.equal(heard.length, 101);
});

Deno.test("planner refuses a priority that is none", () => {
  const parse = (text: string) =>
    parseConfig(plannerSchema, { args: ["--priority", text], env: {} });
  assert.ok("config" in parse("org/name=2"));
  for (const text of ["org/name", "org/name=high", "=1"]) {
    assert.match(JSON.stringify(parse(text)), /must be MODEL=N/, text);
  }
});
