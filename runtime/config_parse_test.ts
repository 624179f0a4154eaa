import assert from "node:assert/strict";
import fc from "fast-check";
import type { ConfigSources } from "./config.ts";
import { envOf, flagOf } from "./config_names.ts";
import { configPath, parseConfig, wantsHelp } from "./config_parse.ts";
import { option } from "./option.ts";

const schema = {
  "kv.temperature": option.number({ fallback: 0, min: 0, max: 10, help: "Temperature." }),
  "kv.events": option.flag({ fallback: true, help: "Events." }),
  "max-seqs": option.integer({ fallback: 8, min: 1, max: 64, help: "Sequences." }),
  "kv.host": option.bytes({ fallback: 1024, max: 2 ** 40, help: "Host tier." }),
  "drain.timeout": option.duration({ fallback: 30_000, help: "Drain." }),
  "sim.speed": option.number({ fallback: 1, min: 0, infinite: true, help: "Speed." }),
  router: option.choice(["kv", "random", "direct"], { fallback: "kv", help: "Policy." }),
  model: option.list({ fallback: [], separator: " ", help: "Models." }),
  port: option.list({
    fallback: [],
    item: option.integer({ fallback: 0, min: 0, help: "P" }),
    help: "Ports.",
  }),
  "api-key": option.text({ fallback: "", secret: true, pattern: /^sk-/, help: "Key." }),
  name: option.text({ fallback: undefined, help: "Name." }),
  config: option.text({ fallback: "", help: "File." }),
} as const;

function parse(sources: Partial<ConfigSources>) {
  return parseConfig(schema, { args: [], env: {}, ...sources });
}

function configOf(sources: Partial<ConfigSources>) {
  const parsed = parse(sources);
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return parsed.config;
}

function problemsOf(sources: Partial<ConfigSources>): readonly string[] {
  const parsed = parse(sources);
  assert.ok("problems" in parsed, JSON.stringify(parsed));
  return parsed.problems;
}

Deno.test("parseConfig() gives defaults, frozen, when nothing is set", () => {
  const config = configOf({});
  assert.equal(config["kv.temperature"], 0);
  assert.equal(config.name, undefined);
  assert.ok(Object.isFrozen(config));
});

Deno.test("parseConfig() prefers flag to variable to file to default", () => {
  const args = ["--kv-temperature", "3"];
  const env = { PIXII_KV_TEMPERATURE: "2" };
  const file = { kv: { temperature: 1 } };
  assert.equal(configOf({ args, env, file })["kv.temperature"], 3);
  assert.equal(configOf({ env, file })["kv.temperature"], 2);
  assert.equal(configOf({ file })["kv.temperature"], 1);
  assert.equal(configOf({ file: { "kv.temperature": 1 } })["kv.temperature"], 1);
  assert.equal(configOf({ env: { PIXII_KV_TEMPERATURE: "" }, file })["kv.temperature"], 1);
});

Deno.test("parseConfig() reads flags in every spelling", () => {
  const events = (...args: string[]) => configOf({ args })["kv.events"];
  assert.equal(events("--kv-events"), true);
  assert.equal(events("--no-kv-events"), false);
  assert.equal(events("--kv-events=false"), false);
  assert.equal(events("--no-kv-events", "--kv-events"), true);
  assert.equal(configOf({ env: { PIXII_KV_EVENTS: "off" } })["kv.events"], false);
  assert.equal(configOf({ file: { kv: { events: false } } })["kv.events"], false);
});

Deno.test("parseConfig() reads units, infinity and lists", () => {
  const config = configOf({
    args: [
      ...["--kv-host", "512MiB", "--drain-timeout=250ms", "--sim-speed", "inf"],
      ...["--model", "smollm2,workers=2", "--model=./a.gguf", "--port", "80", "--port=81"],
    ],
  });
  assert.equal(config["kv.host"], 2 ** 29);
  assert.equal(config["drain.timeout"], 250);
  assert.equal(config["sim.speed"], Infinity);
  assert.deepEqual(config.model, ["smollm2,workers=2", "./a.gguf"]);
  assert.deepEqual(config.port, [80, 81]);
  assert.deepEqual(configOf({ env: { PIXII_PORT: "1, 2" } }).port, [1, 2]);
  assert.deepEqual(configOf({ env: { PIXII_MODEL: "a,x=1 b" } }).model, ["a,x=1", "b"]);
  assert.deepEqual(configOf({ file: { port: [3, 4] } }).port, [3, 4]);
});

Deno.test("parseConfig() reports every problem at once", () => {
  const problems = problemsOf({
    args: ["--kv-temperature", "hot", "--max-seqs=0", "--routr", "kv", "stray", "--kv-host"],
    env: { PIXII_DRAIN_TIMOUT: "2s", PIXII_SIM_SPEED: "fast" },
    file: { kv: { temprature: 1 }, router: "radnom", port: { a: 1 }, sub: null },
  });
  const wanted = [
    /^Unknown option --routr; did you mean --router\?/,
    /^Cannot use argument "stray"/,
    /^Cannot use --kv-host: needs a value; write --kv-host=SIZE$/,
    /^Unknown variable PIXII_DRAIN_TIMOUT; did you mean PIXII_DRAIN_TIMEOUT\?$/,
    /^Unknown key kv\.temprature of the config file; did you mean kv\.temperature\?$/,
    /^Cannot use port of the config file: must be a text.* got object$/,
    /^Unknown key sub of the config file/,
    /^Cannot use --kv-temperature: must be a number from 0 to 10, got "hot"$/,
    /^Cannot use --max-seqs: must be a whole number from 1 to 64, got "0"$/,
    /^Cannot use PIXII_SIM_SPEED: must be a number of at least 0 or inf, got "fast"$/,
    /^Cannot use router of the config file: .* got "radnom"; did you mean random\?$/,
  ];
  for (const pattern of wanted) {
    assert.ok(
      problems.some((problem) => pattern.test(problem)),
      `${pattern} in\n${problems.join("\n")}`,
    );
  }
  assert.equal(problems.length, wanted.length, problems.join("\n"));
});

Deno.test("parseConfig() never shows the value of a secret", () => {
  for (
    const sources of [
      { args: ["--api-key", "hunter2"] },
      { args: ["--api-key=hunter2"] },
      { args: ["--api-kye", "hunter2"] },
      { args: ["--api-kye=hunter2"] },
      { env: { PIXII_API_KEY: "hunter2" } },
      { file: { "api-key": "hunter2" } },
    ]
  ) {
    const problems = problemsOf(sources);
    assert.equal(problems.length, 1);
    assert.ok(!problems[0].includes("hunter2"), problems[0]);
  }
});

Deno.test("parseConfig() leaves other programs' variables alone", () => {
  const env = { PIXII_CACHE: "/x", PIXII_PARENT: "stdin", PIXII_HOST: "h", PIXII_SERVED_NAME: "n" };
  assert.equal(configOf({ env }).router, "kv");
});

Deno.test("parseConfig() says when a required option is missing", () => {
  const required = { model: option.text({ fallback: "", required: true, help: "What to serve." }) };
  const parsed = parseConfig(required, { args: [], env: {} });
  assert.deepEqual(parsed, { problems: ["Missing --model TEXT: What to serve."] });
  assert.ok("config" in parseConfig(required, { args: ["--model", "a"], env: {} }));
});

Deno.test("parseConfig() throws on a schema with two paths of one flag", () => {
  const flag = option.flag({ fallback: false, help: "F." });
  assert.throws(() => parseConfig({ "a.b": flag, "a-b": flag }, { args: [], env: {} }), /--a-b is/);
  assert.throws(() => parseConfig({ aB: flag }, { args: [], env: {} }), /option path/);
});

Deno.test("parseConfig() gives one value for one text in all three spellings", () => {
  const paths = fc.constantFrom(
    "kv.temperature",
    "max-seqs",
    "kv.host",
    "drain.timeout",
    "router",
    "name",
  );
  const texts = fc.oneof(
    fc.constantFrom("1", "64", "2s", "1KiB", "random", "0"),
    fc.string({ minLength: 1 }),
  );
  fc.assert(fc.property(paths, texts, (path, text) => {
    const outcome = (sources: Partial<ConfigSources>) => {
      const parsed = parse(sources);
      return "config" in parsed ? (parsed.config as Record<string, unknown>)[path] : "problem";
    };
    const byFlag = outcome({ args: [`${flagOf(path)}=${text}`] });
    assert.deepEqual(outcome({ env: { [envOf(path)]: text } }), byFlag);
    assert.deepEqual(outcome({ file: { [path]: text } }), byFlag);
  }));
});

Deno.test("parseConfig() gives a config or problems for any arguments and any file", () => {
  const words = fc.oneof(
    fc.string(),
    fc.constantFrom("--", "-h", "--kv-events", "--no-kv-events=1", "--model", "=", "--=", "--no-"),
  );
  fc.assert(fc.property(fc.array(words), fc.jsonValue(), (args, file) => {
    const parsed = parse({ args, file });
    if ("problems" in parsed) {
      assert.ok(parsed.problems.length > 0 && parsed.problems.every((one) => one !== ""));
    } else assert.deepEqual(Object.keys(parsed.config), Object.keys(schema));
  }));
});

Deno.test("configPath() and wantsHelp() look at arguments and environment", () => {
  assert.equal(
    configPath(schema, { args: ["--config", "a.json"], env: { PIXII_CONFIG: "b" } }),
    "a.json",
  );
  assert.equal(configPath(schema, { args: [], env: { PIXII_CONFIG: "b" } }), "b");
  assert.equal(configPath(schema, { args: [], env: {} }), undefined);
  assert.ok(wantsHelp(["--kv-events", "-h"]) && !wantsHelp(["--helpx"]));
});
