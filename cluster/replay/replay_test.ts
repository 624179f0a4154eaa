import assert from "node:assert/strict";
import { parseConfig } from "@pixii/runtime";
import { runPlan } from "./core/replay_plan.ts";
import { planOf } from "./replay.ts";
import { replaySchema } from "./replay_config.ts";
import { reportJson } from "./report_json.ts";
import { reportPlots } from "./report_plots.ts";
import { reportTable } from "./report_table.ts";

const small = [
  "--synthetic",
  "agents",
  "--sessions",
  "6",
  "--workers",
  "2",
  "--capacity-blocks",
  "400",
];

/** The files of a test: one trace of two prompts with a shared block. */
const files = {
  read: (path: string) =>
    Promise.resolve(
      path === "/t.jsonl"
        ? [0, 1].map((n) =>
          JSON.stringify({
            ...{ timestamp: 3000 * n, input_length: 1100, output_length: 9 },
            hash_ids: [0, n + 1, n + 3],
          })
        ).join("\n")
        : undefined,
    ),
};

async function outcome(...args: string[]) {
  const parsed = parseConfig(replaySchema, { args, env: {} });
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return await planOf(parsed.config, files);
}

async function problem(...args: string[]): Promise<string> {
  const plan = await outcome(...args);
  assert.ok(!plan.ok);
  return plan.error.message;
}

async function printed(...args: string[]): Promise<string> {
  const plan = await outcome(...args);
  assert.ok(plan.ok);
  const report = runPlan(plan.value);
  return [
    reportTable(report),
    ...reportJson(report, undefined),
    ...reportPlots(report).values(),
  ].join("\n");
}

Deno.test("replay prints the same bytes for the same seed: table, JSON lines and plots", async () => {
  const args = [...small, "--eviction", "lru,belady", "--jitter", "3s", "--slo", "5s"];
  const first = await printed(...args);
  assert.equal(first, await printed(...args));
  assert.notEqual(first, await printed(...args, "--seed", "2"));
  for (const figure of ["hit_vs_pooled", "ttft_vs_rr", "ttft_vs_least", "rate_vs_rr"]) {
    assert.match(first, new RegExp(`"figure":"replay.${figure}"`));
  }
  assert.match(first, /<svg .*<\/svg>/s);
});

Deno.test("replay reads a trace by its content", async () => {
  const plan = await outcome("--trace", "/t.jsonl", "--policy", "kv", "--part", "all");
  assert.ok(plan.ok);
  const [row] = runPlan(plan.value).rows;
  assert.deepEqual([row.requests, row.refused], [2, 0]);
});

Deno.test("replay says what is wrong with its options", async () => {
  assert.match(await problem(), /give either --trace FILE or --synthetic agents/);
  assert.match(await problem("--trace", "/none"), /Cannot read \/none: there is no such file/);
  assert.match(
    await problem("--trace", "/t.jsonl", "--block-size", "16"),
    /the blocks of t.jsonl have 512 tokens; leave it out/,
  );
  assert.match(await problem(...small, "--policy", "kv,best"), /'best' is none of kv, ttft/);
  assert.match(await problem(...small, "--order", "lifo"), /--order: 'lifo' is none of fcfs/);
  assert.match(await problem(...small, "--hold", "late"), /--hold: 'late' is none of off, room/);
  assert.match(await problem(...small, "--set", "kv.heat=2"), /--set kv.heat=2: it must be/);
  assert.match(await problem(...small, "--set", "kv.temperature=-1"), /must be a number/);
});

Deno.test("--set reaches the router's weights", async () => {
  const plan = await outcome(...small, "--set", "ttft.work-weight=3", "--set", "kv.host-credit=0");
  assert.ok(plan.ok);
  const { kv, ttft } = plan.value.rules;
  assert.deepEqual([kv.hostCredit, ttft?.workWeight], [0, 3]);
});

Deno.test("each hold is a row of its own, and figures are of requests placed as they come", async () => {
  const policies = ["--policy", "ttft,round-robin,least-queue", "--busy", "2"];
  const text = await printed(...small, ...policies, "--hold", "off,best,gathered");
  const rows = text.split("\n").filter((line) => line.startsWith("ttft "));
  assert.deepEqual(rows.map((line) => line.split(/ +/)[2]), ["off", "best", "gathered"]);
  const figures = (all: string) => all.split("\n").filter((line) => line.includes('"figure"'));
  assert.deepEqual(figures(text), figures(await printed(...small, ...policies)));
  assert.ok(text.includes("ttft, gathered"));
});
