import assert from "node:assert/strict";
import { renderHelp } from "@pixii/runtime";
import { devSchema, parseDev } from "./dev_config.ts";

function problems(...args: string[]): readonly string[] {
  const parsed = parseDev(args, {});
  return "problems" in parsed ? parsed.problems : [];
}

function plan(args: readonly string[], env: Record<string, string> = {}) {
  const parsed = parseDev(args, env);
  assert.ok("plan" in parsed, JSON.stringify(parsed));
  return parsed.plan;
}

Deno.test("parseDev() gives the defaults of the documented command line", () => {
  const { config, models } = plan([]);
  assert.deepEqual(models, []);
  assert.equal(config.host, "127.0.0.1");
  assert.equal(config.port, 8000);
  assert.equal(config.topology, "auto");
  assert.equal(config["max-seqs"], 8);
  assert.equal(config.router, "kv");
});

Deno.test("parseDev() joins models, served names and per-model settings", () => {
  const { models } = plan([
    ...["--model", "smollm2,workers=2", "--model", "/x/My.gguf", "--served-name", "chat"],
    ...["--workers", "3", "--threads", "2"],
  ]);
  const facts = models.map((one) => [one.servedName, one.workers, one.threads]);
  assert.deepEqual(facts, [["chat", 2, 2], ["My", 3, 2]]);
});

Deno.test("parseDev() reads PIXII_ variables and lets flags win", () => {
  const env = { PIXII_PORT: "9000", PIXII_MODEL: "smollm2,workers=2;tiny", PIXII_HOST: "0.0.0.0" };
  const { config, models } = plan(["--port", "0"], env);
  assert.equal(config.port, 0);
  assert.equal(config.host, "0.0.0.0");
  assert.deepEqual(models.map((one) => one.servedName), ["smollm2", "tiny"]);
});

Deno.test("parseDev() takes a size and a folder for the disk tier, and says what is none", () => {
  assert.equal(plan(["--kv-disk", "64GiB:/var/kv"]).config["kv.disk"], "64GiB:/var/kv");
  assert.equal(plan(["--kv-disk", "off"]).config["kv.disk"], "off");
  const [problem] = problems("--kv-disk", "/var/kv");
  assert.match(problem, /^Cannot use --kv-disk: must be SIZE\[:DIR\] like 64GiB:\/var/);
});

Deno.test("parseDev() passes --SERVICE.flag on", () => {
  const { passed } = plan([
    ...["--router.kv.temperature", "0.5", "--frontend.max-body=1MiB", "--worker.deterministic"],
    ...["--port", "0"],
  ]);
  assert.deepEqual(passed.router, ["--kv-temperature", "0.5"]);
  assert.deepEqual(passed.frontend, ["--max-body=1MiB"]);
  assert.deepEqual(passed.worker, ["--deterministic"]);
  assert.deepEqual(passed.planner, []);
});

Deno.test("parseDev() refuses flags that are not built yet with one sentence", () => {
  const help = renderHelp(devSchema, "deno task dev", "");
  for (
    const args of [
      ["--interactive"],
      ["--engine", "onnx"],
    ]
  ) {
    const found = problems(...args);
    assert.ok(found.length >= 1 && found.every((one) => /not built yet/.test(one)), `${args}`);
    const flag = args[0].split("=")[0];
    if (flag !== "--engine") assert.ok(!help.includes(flag), flag);
  }
  assert.deepEqual(problems("--router", "ttft"), []);
});

Deno.test("parseDev() takes a planner that watches or acts; one that acts moves no single ranks", () => {
  assert.equal(plan([]).config.planner, "watch");
  assert.equal(plan(["--planner", "act"]).config.planner, "act");
  assert.match(problems("--planner", "on")[0], /^Cannot use --planner: must be one of watch, act/);
  const ranks = ["--worker.ranks", "2"];
  assert.match(problems("--planner", "act", ...ranks)[0], /several ranks starts and ends as one/);
  assert.deepEqual(problems(...ranks), []);
});

Deno.test("parseDev() takes workers by role, for all models or for one; one role alone is a mistake", () => {
  const { models } = plan([
    ...["--model", "tiny", "--model", "smollm2,workers=3", "--model", "micro,prefill=1,decode=1"],
    ...["--prefill", "1", "--decode", "2"],
  ]);
  assert.deepEqual(
    models.map(({ workers, prefill, decode }) => [workers, prefill, decode]),
    [[3, 1, 2], [3, 0, 0], [2, 1, 1]],
  );
  assert.match(problems("--prefill", "1")[0], /give --decode too/);
  assert.match(problems("--model", "tiny,decode=1")[0], /give --prefill too/);
});

Deno.test("parseDev() takes the sim engine for all or for one model, and how fast it is", () => {
  const { models, config } = plan([
    "--model",
    "tiny,engine=sim,max-seqs=256",
    "--model",
    "smollm2",
  ]);
  assert.deepEqual(models.map((one) => one.engine), ["sim", "llama"]);
  assert.equal(config["sim-speed"], 1);
  const fast = plan(["--engine", "sim", "--sim-speed", "inf", "--model", "tiny"]);
  assert.deepEqual(fast.models.map((one) => [one.engine, one.simSpeed]), [["sim", Infinity]]);
  assert.match(problems("--sim-speed", "0").join(), /--sim-speed/);
  assert.match(problems("--max-seqs", "256").join(), /max-seqs of llama is at most 192/);
  assert.match(problems("--model", "tiny,max-seqs=256").join(), /at most 192/);
  assert.deepEqual(problems("--engine", "sim", "--max-seqs", "256"), []);
});

Deno.test("parseDev() reports every problem at once", () => {
  const found = problems("--prot", "1", "--workers", "0", "--kv-disk", "lots");
  assert.equal(found.length, 3, found.join("\n"));
  assert.match(found.join("\n"), /--prot; did you mean --port\?/);
  assert.match(found.join("\n"), /--workers/);
  const cross = problems("--engine", "vllm", "--topology", "one", "--nats", "nats://h:1");
  assert.equal(cross.length, 2, cross.join("\n"));
});

Deno.test("parseDev() refuses more served names than models and a bad log filter", () => {
  assert.match(problems("--served-name", "a", "--served-name", "b").join(), /at most one per/);
  assert.match(problems("--log", "frontend=loud").join(), /--log/);
});
