import assert from "node:assert/strict";
import { seededChance } from "@pixii/runtime";
import { agentTrace } from "./agent_trace.ts";
import { replayOnce, runPlan } from "./replay_plan.ts";
import type { ReplayPlan } from "./replay_plan.ts";

const drawOf = (seed: number) => (name: string) => {
  const chance = seededChance(seed + name.length);
  return () => chance.float();
};

/** A queue of the router that sheds nothing. */
const unbounded: ReplayPlan["queue"] = {
  busy: { waitingPerRank: 192, prefillTokens: 0, blocks: 0 },
  ...{ maxRequests: 1e9, maxTokens: 1e15, tenantShare: 1, maxWaitMs: 1e12 },
  ...{ priorityStepMs: 100, agedMs: 10_000, cachedWeight: 0.1, outputWeight: 2 },
};

/** A small fleet under sessions that share prompts. */
function planOf(more: Partial<ReplayPlan> = {}, seed = 1): ReplayPlan {
  const shape = { sessions: 24, sessionRate: 1, blockSize: 128 };
  const trace = agentTrace(shape, drawOf(seed)("trace"));
  // Without names of sessions: only what is shared tells where a prompt belongs.
  const requests = trace.requests.map((one) => ({ ...one, session: undefined }));
  return {
    trace: { ...trace, requests },
    ...{ policies: ["kv", "round-robin"], orders: ["fcfs"], holds: ["off"], evictions: [] },
    ...{
      service: "prefill",
      workers: 4,
      capacityBlocks: 800,
      maxSeqs: 64,
      busy: 1,
      rate: 1,
      sloMs: undefined,
      queue: unbounded,
    },
    rules: {
      kv: {
        ...{ temperature: 0, prefillScale: 1, activeWeight: 0 },
        ...{ deviceCredit: 1, hostCredit: 0.75, diskCredit: 0.25 },
      },
    },
    drawOf: drawOf(seed),
    ...more,
  };
}

Deno.test("policies that know the caches find more in them, and answer sooner, than round-robin", () => {
  const report = runPlan(planOf({ policies: ["kv", "ttft", "round-robin"] }));
  const [kv, ttft, robin] = report.rows;
  assert.ok(kv.hitRatio > 1.3 * robin.hitRatio, `${kv.hitRatio} against ${robin.hitRatio}`);
  assert.ok(ttft.hitRatio > 1.3 * robin.hitRatio, `${ttft.hitRatio} against ${robin.hitRatio}`);
  assert.ok(ttft.ttft.meanMs < robin.ttft.meanMs);
  for (const row of report.rows) {
    assert.equal(row.refused, 0);
    assert.ok(row.hitRatio <= 1 && row.busyShare <= 1);
  }
});

Deno.test("least-queue is blind to caches and to sessions", () => {
  const [blind, kv] = runPlan(planOf({ policies: ["least-queue", "kv"] })).rows;
  assert.ok(blind.hitRatio < kv.hitRatio);
});

Deno.test("the same plan gives the same report, bit for bit, and another seed another", () => {
  const text = (seed: number) => {
    const { rows } = runPlan(planOf({ policies: ["ttft", "kv", "random"] }, seed));
    return JSON.stringify(rows.map((row) => ({ ...row, ttftMs: [...row.ttftMs] })));
  };
  assert.equal(text(1), text(1));
  assert.notEqual(text(1), text(2));
});

Deno.test("a prompt that fits no worker is refused and counted, the others go on", () => {
  const plan = planOf({ capacityBlocks: 40 });
  const tokenMs = 0.1;
  const result = replayOnce(plan, { policy: "kv", order: "fcfs", hold: "off", rate: 1, tokenMs });
  assert.ok(result.refused > 0 && result.refused < result.requests);
  const answered = result.ttftMs.filter((ms) => !Number.isNaN(ms));
  assert.equal(answered.length, result.requests - result.refused);
});

Deno.test("under order shortest short prompts wait less, and nobody for ever", () => {
  const [fcfs, shortest] = runPlan(
    planOf({ policies: ["least-queue"], orders: ["fcfs", "shortest"], busy: 1.2 }),
  ).rows;
  assert.ok(shortest.ttft.p50Ms < fcfs.ttft.p50Ms);
  assert.ok(shortest.ttftMs.every((ms) => ms < 10 * fcfs.ttft.p99Ms));
});

Deno.test("service engine says every token of every request, and the same twice", () => {
  const plan = planOf({ policies: ["ttft", "round-robin"], service: "engine", maxSeqs: 8 });
  const tokens = plan.trace.requests.reduce((sum, one) => sum + one.outputTokens, 0);
  const report = runPlan(plan);
  for (const row of report.rows) {
    assert.equal(row.refused, 0);
    // The first token of each has nothing before it.
    assert.equal(row.itl.count, tokens - row.requests);
    assert.ok(row.itl.p50Ms > 0 && row.itl.p50Ms <= row.itl.p99Ms);
  }
  const text = (rows: unknown) => JSON.stringify(rows);
  assert.equal(text(report.rows), text(runPlan(plan).rows));
});

Deno.test("service engine goes on where sequences lose their blocks to others", () => {
  const plan = planOf({ service: "engine", capacityBlocks: 260, workers: 1, rate: 4 });
  const [row] = runPlan({ ...plan, policies: ["kv"] }).rows;
  const fitting = plan.trace.requests.filter(({ inputTokens }) => inputTokens < 128 * 260);
  assert.equal(row.requests - row.refused, fitting.length);
});

Deno.test("under overload requests that wait for their best worker keep the caches that placing at arrival loses", () => {
  const holds = ["off", "best", "shortest", "gathered"] as const;
  const report = runPlan(planOf({ policies: ["ttft"], holds, capacityBlocks: 600, rate: 12 }));
  const [off, ...held] = report.rows;
  assert.deepEqual(report.rows.map(({ hold }) => hold), holds);
  for (const row of held) {
    assert.equal(row.refused, off.refused);
    assert.ok(
      row.hitRatio > 1.1 * off.hitRatio,
      `${row.hold}: ${row.hitRatio} against ${off.hitRatio}`,
    );
    assert.ok(row.ttft.meanMs < off.ttft.meanMs, row.hold);
  }
  // Less work first: most are answered sooner.
  assert.ok(held[1].ttft.p50Ms < held[0].ttft.p50Ms);
});

Deno.test("a hold changes nothing for policies that wait for no worker where none is ever full", () => {
  const queue = { ...unbounded, busy: { ...unbounded.busy, prefillTokens: 1e9 } };
  const [off, room, best] = runPlan(
    planOf({ policies: ["kv"], holds: ["off", "room", "best"], queue }),
  ).rows;
  for (const row of [room, best]) assert.deepEqual(row.ttftMs, off.ttftMs);
});
