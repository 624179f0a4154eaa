import assert from "node:assert/strict";
import type { PlanOrder } from "@pixii/wire";
import {
  AdminServer,
  parseConfig,
  recordingLog,
  seededChance,
  startService,
  systemClock,
} from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import { plannerSchema, plannerSpec } from "@pixii/planner";
import type { PlanView } from "@pixii/planner";
import { runPlan } from "./plan_command.ts";
import { nowLines, orderText, replayLines } from "./plan_words.ts";

async function run(...args: string[]) {
  const [said, warned]: [string[], string[]] = [[], []];
  const code = await runPlan(args, {
    env: { PIXII_MODEL: "not for this command" },
    clock: systemClock(),
    chance: seededChance(1),
    log: recordingLog(),
    signal: new AbortController().signal,
    say: (line) => said.push(line),
    warn: (line) => warned.push(line),
  });
  return { code, said: said.join("\n"), warned: warned.join("\n") };
}

Deno.test("plan says what is wrong with a command line, and that nobody answers", async () => {
  const reason = ["--reason", "a test"];
  for (
    const [args, problem] of [
      [["stop"], /Cannot do "stop": name one of pause, pin, veto, resume, or nothing/],
      [["pause"], /Cannot pause without --reason TEXT/],
      [["pause", "m", ...reason], /Cannot use "m": options begin with --/],
      [["pin", "--prefill", "1", ...reason], /Cannot pin all models at once/],
      [["pin", "--model", "m", ...reason], /without --prefill N, --decode N or --both N/],
      [["pin", "--model", "m", "--both", "0", ...reason], /to no worker: nobody would answer/],
      [["pin", "--model", "m", "--prefill", "2", ...reason], /prefill workers alone/],
      [["pin", "--model", "m", "--both=-1", ...reason], /--both: must be a whole number from 0 to/],
      [["pin", "--model", "m", "--both=2.5", ...reason], /--both: must be a whole number/],
      [["veto", ...reason], /Cannot veto nothing: say --move KIND/],
      [["veto", "--decision", "1", "--move", "flip", ...reason], /in one order: give two/],
      [["pause", "--move", "flip", ...reason], /--worker or --decision but with veto/],
      [["pause", "--for", "0s", ...reason], /--for: must be/],
      [["resume"], /name an order, or --model NAME, or --all/],
      [["resume", "o1", "--all"], /one of them/],
      [["--history", "--replay"], /Cannot do --history and --replay at once/],
      [["pause", "--dry-run", ...reason], /Cannot do --dry-run and pause at once/],
      [["--file", "x"], /Cannot use --file without --history or --replay/],
      [["--histroy"], /did you mean --history\?/],
      [[], /Cannot tell which planner to ask: give --admin URL/],
      [["pause", ...reason], /Cannot give orders without the cluster's etcd: give --etcd URL/],
      [["pause", "--ready-file", "/nowhere", ...reason], /is deno task dev running with it\?/],
    ] as const
  ) {
    const { code, warned } = await run(...args);
    assert.equal(code, 2, `${args.join(" ")}: ${warned}`);
    assert.match(warned, problem);
  }
  const away = await run("--admin", "http://127.0.0.1:9");
  assert.equal(away.code, 1);
  assert.match(away.warned, /Cannot ask the planner at http:\/\/127\.0\.0\.1:9/);
  assert.equal((await run("--history", "--file", "/nowhere/h.jsonl")).code, 3);
  assert.match((await run("--help")).said, /deno task plan pin --model M --prefill 1 --decode 3/);
});

Deno.test("plan asks a running planner: now, history, replay and dry run, before it has seen anything", async () => {
  await using host = testHost();
  await using admin = AdminServer.open({ host: "127.0.0.1", port: 0 }, recordingLog());
  const parsed = parseConfig(plannerSchema, { args: ["--history-replay", "0"], env: {} });
  assert.ok("config" in parsed);
  const planner = await startService(plannerSpec, parsed.config, { ...host, admin });
  const ask = (...words: string[]) => run(...words, "--admin", admin.url);
  const now = await ask();
  assert.equal(now.code, 0);
  assert.match(
    now.said,
    /^planner \w{16} watches and moves nothing \(--mode act lets it\)\nbudget: /,
  );
  assert.match(now.said, /no model: no worker and no frontend has said anything$/);
  assert.equal(JSON.parse((await ask("--json")).said).acts, false);
  assert.equal((await ask("--history")).said, "no decision is kept yet");
  assert.match((await ask("--dry-run")).said, /would decide nothing now: it plans no model/);
  const replay = await ask("--replay");
  assert.equal(replay.code, 1);
  assert.match(replay.warned, /more than --history-replay; --history-file PATH keeps it on disk/);
  await planner.stop();
});

Deno.test("nowLines(), orderText() and replayLines() say what an operator wants to know", () => {
  const order: PlanOrder = {
    kind: "pin",
    ...{ id: "o1", reason: "debugging", by: "alice", model: "m" },
    counts: { prefill: 1, decode: 3, both: 0 },
    ...{ givenAt: "2026-01-01T12:00:00.000Z", forMs: 600_000 },
  };
  const end = "until 2026-01-01T12:10:00.000Z (10m)";
  assert.equal(orderText(order), `pin of m to 1 prefill + 3 decode ${end}: debugging (alice)`);
  const base = { ...order, model: undefined, counts: undefined };
  assert.match(orderText({ ...base, kind: "pause" }), /^pause of all models until/);
  const veto = { ...base, kind: "veto" } as const;
  assert.match(orderText({ ...veto, move: "stop" }), /^veto of every stop of all models until/);
  const instance = "00000000000000a1" as never;
  assert.match(orderText({ ...veto, instance }), /^veto of any move of worker 00000000000000a1/);
  assert.match(
    orderText({ ...order, kind: "veto", decision: "b2.7" }),
    /^veto of decision b2\.7: not to 1 prefill \+ 3 decode for m until/,
  );
  const lean = { direction: "prefill", reason: "prompts wait" };
  const view = {
    ...{ by: "b2", acts: true, leads: false, budgetGpus: 4, problems: ["no profile"] },
    ...{ orders: [order], models: { aa: { name: "m", lean }, bb: { name: "n", lean } } },
  } as unknown as PlanView;
  assert.deepEqual(nowLines(view, "m"), [
    "planner b2 stands by: another planner acts",
    ...["budget: 4 GPUs for all models", "problems:", "  no profile", "orders in force:"],
    `  o1: pin of m to 1 prefill + 3 decode ${end}: debugging (alice)`,
    ...["model m: no decision yet", "  leans to prefill: prompts wait"],
  ]);
  const same = { steps: 9, equal: 4, different: [], missing: 0 };
  assert.deepEqual(replayLines(same), [
    "Made again: 9 steps; 4 kept records, all equal, bit for bit.",
  ]);
  const different = [{ by: "b2", id: 7, what: "bound was 1 and is 2" }];
  assert.deepEqual(replayLines({ ...same, different, missing: 2 }), [
    "Made again: 9 steps; 1 of 5 kept records are different",
    "  decision b2.7: bound was 1 and is 2",
    "2 kept records could not be made again: what they were made from, from the planner's beginning on, is not there",
  ]);
});
