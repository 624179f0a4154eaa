import assert from "node:assert/strict";
import fc from "fast-check";
import { policies, readDecisionReport } from "@pixii/wire";
import type { DecisionReport, PolicyName, RouteHints } from "@pixii/wire";
import { workerProfileOf } from "../testing/profile_of.ts";
import {
  batchOf,
  cardOf,
  hashesOf,
  instanceOf,
  modelHash,
  requestOf,
  routeOf,
  storedOf,
} from "../testing/samples.ts";
import { hear, putCard, stateOf } from "../testing/state_of.ts";
import { readChange } from "./decision_change.ts";
import { flipsAway, flipsTo } from "./decision_flip.ts";
import type { Flip } from "./decision_flip.ts";
import { redecide, replayDecision, whatIf } from "./replay_decision.ts";
import type { Redecision } from "./replay_decision.ts";
import type { RouterState } from "./router_state.ts";

/** A report as it comes out of a file or the admin port: through JSON and checked. */
function through(report: DecisionReport): DecisionReport {
  const read = readDecisionReport(JSON.parse(JSON.stringify(report)));
  assert.ok(read.ok, read.ok ? "" : read.error.message);
  return read.value;
}

let nextRequest = 1;

function place(
  state: RouterState,
  more: {
    readonly hints?: RouteHints;
    readonly seed?: number;
    readonly blocks?: number;
    readonly draw?: () => number;
    readonly nowMs?: number;
  } = {},
): DecisionReport {
  const { draw = () => 0, nowMs = 10, ...rest } = more;
  const decision = state.route(modelHash, routeOf(nextRequest++, rest), { nowMs, draw });
  assert.ok(decision.ok, decision.ok ? "" : decision.error.message);
  return through(decision.value.trace.report());
}

const worker = fc.record({
  blockSize: fc.constantFrom(16, 16, 16, 32),
  maxSeqs: fc.integer({ min: 1, max: 4 }),
  device: fc.nat(8),
  host: fc.nat(8),
  profile: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
  draining: fc.boolean(),
  running: fc.nat(3),
  prefillRate: fc.constantFrom(0, 123.4, 9_000),
});

const scene = fc.record({
  seed: fc.nat(0x7fff_ffff),
  policy: fc.constantFrom(...policies),
  temperature: fc.constantFrom(0, 0, 0.3, 2.5),
  activeWeight: fc.constantFrom(0, 0.7),
  workers: fc.array(worker, { minLength: 1, maxLength: 40 }),
  requests: fc.array(
    fc.record({
      seed: fc.nat(2),
      blocks: fc.nat(12),
      policy: fc.option(fc.constantFrom(...policies), { nil: undefined }),
      session: fc.option(fc.constantFrom("s", "t"), { nil: undefined }),
      waitMs: fc.nat(500),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});

/** Numbers in [0, 1) from a seed: a plain linear congruence is random enough here. */
function drawOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

type Scene = typeof scene extends fc.Arbitrary<infer Value> ? Value : never;

function stateOfScene({ policy, temperature, activeWeight, workers }: Scene): RouterState {
  const kv = { ...stateOf(0).kv, temperature, activeWeight };
  const state = stateOf(0, { policy, kv, keptDecisions: 1_000, hungStepMs: 1e9 });
  workers.forEach((one, i) => {
    const number = i + 1;
    const { blockSize, maxSeqs, device, host, draining, running, prefillRate } = one;
    const profile = one.profile === undefined ? undefined : workerProfileOf(one.profile);
    putCard(
      state,
      cardOf(number, { blockSize, maxSeqs, kvbm: instanceOf(0xb00 + number), profile }),
    );
    const isLast = number === workers.length;
    hear(state, number, { draining: draining && !isLast, running, prefillRate });
    for (const [tier, blocks] of [["device", device], ["host", host]] as const) {
      const owner = tier === "device" ? number : 0xb00 + number;
      const events = [storedOf(hashesOf(i % 3, blocks), 1)];
      if (blocks > 0) state.events(batchOf(owner, { number: 1, tier, blockSize, events }), 1);
    }
  });
  return state;
}

Deno.test("replay(record) is the decision, bit for bit, for random fleets and requests and every policy", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(scene, (told) => {
      const state = stateOfScene(told);
      const draw = drawOf(told.seed);
      let nowMs = 10;
      for (const { seed, blocks, policy, session, waitMs } of told.requests) {
        nowMs += waitMs;
        for (let i = 1; i <= told.workers.length; i++) hear(state, i, { nowMs, running: 1 });
        const hints = { policy, session, worker: instanceOf(told.workers.length) };
        const isDirect = (policy ?? told.policy) === "direct";
        const { worker: _, ...open } = hints;
        const request = {
          ...routeOf(nextRequest++, { seed, blocks, hints: isDirect ? hints : open }),
          hashes: [16, 32].map((blockSize) => ({ blockSize, list: hashesOf(seed, blocks) })),
        };
        const decision = state.route(modelHash, request, { nowMs, draw });
        assert.ok(decision.ok, decision.ok ? "" : decision.error.message);
        const report = through(decision.value.trace.report());
        const { isEqual, differences, again } = replayDecision(report);
        assert.deepEqual(differences, []);
        assert.ok(isEqual);
        assert.deepEqual(again.worker, decision.value.rank.worker);
        assert.deepEqual(report.record.chosen, decision.value.rank.worker);
        seen.add(report.record.policy);
      }
      state.checkIntegrity();
    }),
    { numRuns: 150 },
  );
  assert.deepEqual([...seen].sort(), [...policies].sort());
});

Deno.test("a record keeps the state of its moment, whatever comes later", () => {
  const state = stateOf(3, { keptDecisions: 100 });
  state.events(batchOf(2, { number: 1, events: [storedOf(hashesOf(1, 3), 1)] }), 5);
  place(state, { seed: 1, draw: () => 0.5 });
  const [kept] = state.decisions.latest({ most: 1 });
  const first = JSON.stringify(kept.report());
  for (let i = 0; i < 20; i++) place(state, { seed: 1, draw: () => 0.5 });
  putCard(state, cardOf(2, { maxSeqs: 1, contextLength: 99 }));
  hear(state, 2, { running: 7, nowMs: 20 });
  assert.equal(JSON.stringify(kept.report()), first);
});

Deno.test("replayDecision() says what is different in a record that was changed", () => {
  const state = stateOf(2);
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 4), 1)] }), 5);
  const report = place(state);
  assert.ok(replayDecision(report).isEqual);
  const [one, two] = report.ranks;
  const other = { ...report, ranks: [{ ...one, overlap: { device: 0, host: 0, disk: 0 } }, two] };
  const { isEqual, differences } = replayDecision(other);
  assert.equal(isEqual, false);
  assert.match(differences.join("\n"), /cost of .*: 4 then, 8 now/);
});

/** Worker 1 holds the whole prompt of 4 blocks and runs 3 streams that hold it, too; worker 2 is idle and cold. */
function warmOrIdle(): RouterState {
  const state = stateOf(2);
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 4), 1)] }), 5);
  for (let i = 0; i < 3; i++) place(state, { hints: { worker: instanceOf(1) } });
  return state;
}

function suppose(report: DecisionReport, ...texts: string[]) {
  const changes = texts.map((text) => {
    const read = readChange(text, report);
    assert.ok(read.ok, read.ok ? "" : read.error.message);
    return read.value;
  });
  const again = whatIf(report, changes);
  return again === undefined ? undefined : parseInt(again.worker.instance, 16);
}

Deno.test("whatIf() answers with the worker that would have been chosen", () => {
  const report = place(warmOrIdle());
  assert.equal(parseInt(report.record.chosen.instance, 16), 2);
  assert.equal(suppose(report), 2);
  assert.equal(suppose(report, "kv.prefill-scale=10"), 1);
  assert.equal(suppose(report, "policy=least-loaded"), 2);
  assert.equal(suppose(report, `deny=${instanceOf(2)}`), 1);
  assert.equal(suppose(report, `allow=${instanceOf(1)}`), 1);
  assert.equal(suppose(report, `${instanceOf(1)}.blocks=0`), 1);
  assert.equal(suppose(report, `${instanceOf(2)}.device=4`, "kv.device-credit=0"), 2);
  assert.equal(suppose(report, `deny=${instanceOf(2)}`, `deny=${instanceOf(1)}`), undefined);
});

Deno.test("whatIf() under another temperature gives the other worker for some requests, and always the same one", () => {
  const picked = new Set<number>();
  for (let i = 0; i < 32; i++) {
    const state = warmOrIdle();
    const report = place(state);
    const other = suppose(report, "kv.temperature=0.5");
    assert.equal(suppose(report, "kv.temperature=0.5"), other);
    picked.add(other!);
  }
  assert.deepEqual([...picked].sort(), [1, 2]);
  const again = redecide({ ...place(warmOrIdle()), input: redrawn() });
  assert.equal(again.extraDraws, 1);
});

function redrawn(): Record<string, unknown> {
  const { weights } = stateOf(0);
  return {
    ...{ policy: "kv" satisfies PolicyName, isl: 64 },
    weights: { ...weights, kv: { ...weights.kv, temperature: 0.5 } },
  };
}

Deno.test("whatIf() of policy ttft on a record of another policy counts the prompts that wait", () => {
  const report = place(warmOrIdle());
  const tokens = { ...report.ranks[1].numbers, prefillTokens: 100_000 };
  const busy = { ...report, ranks: [report.ranks[0], { ...report.ranks[1], numbers: tokens }] };
  assert.equal(suppose(busy, "policy=ttft"), 1);
});

Deno.test("readChange() refuses what it does not know, and says what there is", () => {
  const report = place(warmOrIdle());
  const refused = (text: string) => {
    const read = readChange(text, report);
    assert.ok(!read.ok, text);
    return read.error.message;
  };
  assert.match(refused("policy=best"), /policies are kv, .*round-robin/);
  assert.match(refused("kv.heat=1"), /kv\.temperature, kv\.prefill-scale/);
  assert.match(refused("kv.temperature="), /needs a number/);
  assert.match(refused("kv.temperature=warm"), /needs a number/);
  assert.match(refused("deny=ffff"), /no eligible worker begins with 'ffff'/);
  assert.match(refused(`${instanceOf(1)}.mood=1`), /WORKER\.device/);
  assert.match(refused("nonsense"), /there are policy=NAME/);
});

/** Policies whose choice is the cheapest, so that a number of one rank has a point at which it turns. */
const pricedPolicies = ["kv", "ttft", "least-loaded"] as const;
/** Steps behind a flip that are all tried, beside the last: a bound for the time that the property takes. */
const mostStepsTried = 24;

function reportOfScene(told: Scene, policy: PolicyName): DecisionReport {
  const state = stateOfScene({ ...told, policy, temperature: 0, activeWeight: 0.7 });
  const { seed, blocks } = told.requests[0];
  return place(state, { seed, blocks: blocks + 1, draw: () => 0.5 });
}

/** The decision with one number of one rank supposed. */
function supposeFlip(report: DecisionReport, { worker, name }: Flip, value: number): Redecision {
  const text = `${worker.instance}.${worker.dpRank}.${name}=${value}`;
  const read = readChange(text, report);
  assert.ok(read.ok, text);
  return whatIf(report, [read.value])!;
}

/**
 * A change that is told turns the choice, and no smaller one does. Short of a win, a rank may still come level with the
 * chosen one: the tie is then drawn anew, among one more, and may fall to a third of the same cost.
 */
function checkFlips(report: DecisionReport): void {
  const chosen = redecide(report).place;
  report.ranks.forEach((_, i) => {
    const flips = i === chosen ? flipsAway(report, chosen) : flipsTo(report, i);
    for (const flip of flips) {
      const { name, from, to, winner } = flip;
      const text =
        `rank ${i} of ${report.ranks.length}, chosen ${chosen}: ${name} ${from} -> ${to}`;
      const there = supposeFlip(report, flip, to);
      assert.deepEqual(there.worker, winner, text);
      assert.equal(there.place === i, i !== chosen, text);
      const step = Math.sign(to - from);
      for (let by = 1; by <= Math.min(Math.abs(to - from), mostStepsTried); by++) {
        const before = supposeFlip(report, flip, to - step * by);
        if (before.place === chosen) continue;
        assert.notEqual(i, chosen, `${text}, turns ${by} before`);
        assert.notEqual(before.place, i, `${text}, wins ${by} before`);
        const costs = [i, chosen, before.place].map((at) => before.looked[at].cost);
        assert.deepEqual(costs, costs.map(() => costs[0]), `${text}, ${by} before: no tie`);
      }
    }
  });
}

Deno.test("flips are the smallest changes: one less does not turn the choice", () => {
  fc.assert(
    fc.property(scene, fc.constantFrom(...pricedPolicies), (told, policy) => {
      checkFlips(reportOfScene(told, policy));
    }),
    { numRuns: 60 },
  );
});

Deno.test("flipsTo() tells the number with which a rank wins, not the one with which it only joins a tie", () => {
  const cold: Omit<Scene["workers"][number], "running"> = {
    ...{ blockSize: 16, maxSeqs: 1, device: 0, host: 0, profile: undefined, draining: false },
    prefillRate: 0,
  };
  const report = reportOfScene({
    ...{ seed: 0, policy: "kv", temperature: 0, activeWeight: 0 },
    workers: [1, 1, 1, 2].map((running) => ({ ...cold, running })),
    requests: [{ seed: 0, blocks: 0, policy: undefined, session: undefined, waitMs: 0 }],
  }, "kv");
  assert.equal(redecide(report).place, 1);
  const flip = flipsTo(report, 3).find(({ name }) => name === "requests");
  assert.deepEqual([flip?.from, flip?.to], [2, 0]);
  assert.equal(supposeFlip(report, flip!, 0).place, 3);
  // With 1 all four cost the same, and the same draw among four falls on another than among three.
  assert.equal(supposeFlip(report, flip!, 1).place, 2);
  checkFlips(report);
});

Deno.test("a report that is not one is refused by the field that is wrong", () => {
  const report = place(warmOrIdle());
  const bad = readDecisionReport({ ...report, ranks: "none" });
  assert.ok(!bad.ok);
  assert.match(bad.error.message, /ranks/);
  const version = readDecisionReport({ ...report, v: 2 });
  assert.ok(!version.ok);
  assert.match(version.error.message, /version 1/);
  assert.equal(report.record.requestId, requestOf(nextRequest - 1));
});
