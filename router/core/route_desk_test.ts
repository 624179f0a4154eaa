import assert from "node:assert/strict";
import fc from "fast-check";
import { streamKeyText } from "@pixii/wire";
import type { RouteHints } from "@pixii/wire";
import { DeskWorld, placeOf } from "../testing/desk_world.ts";
import { cardOf, instanceOf, modelHash, requestOf } from "../testing/samples.ts";
import { hear, putCard } from "../testing/state_of.ts";
import type { QueueRules } from "./queue_rules.ts";

Deno.test("route() places while a worker has room, then lets wait, and pass() places when one is free", () => {
  const desk = new DeskWorld(2);
  assert.deepEqual([placeOf(desk.ask(1)), placeOf(desk.ask(2))].sort(), [1, 2]);
  assert.deepEqual(desk.ask(3), { kind: "queued", ahead: 0 });
  assert.deepEqual(desk.ask(4), { kind: "queued", ahead: 1 });
  assert.deepEqual([desk.desk.size, desk.ends()], [2, []]);
  desk.nowMs = 100;
  desk.done(1);
  const [[number, worker]] = desk.ends();
  assert.deepEqual([number, typeof worker, desk.desk.size], [3, "number", 1]);
  desk.done(2);
  assert.deepEqual(desk.ends().map(([one]) => one), [4]);
});

Deno.test("a decision after a wait says how long it was", () => {
  const desk = new DeskWorld(1);
  desk.ask(1);
  desk.ask(2);
  desk.advance(250);
  desk.done(1);
  const [settled] = desk.pass();
  assert.ok(settled.outcome.kind === "placed");
  assert.equal(settled.outcome.decision.trace.place.queuedMs, 250);
});

Deno.test("nobody overtakes those who wait for the same workers; a pinned request may pass others", () => {
  const desk = new DeskWorld(2);
  const pinned = { worker: instanceOf(1) };
  assert.equal(placeOf(desk.ask(1, pinned)), 1);
  assert.equal(desk.ask(2, pinned).kind, "queued");
  assert.equal(desk.ask(3, pinned).kind, "queued");
  assert.equal(placeOf(desk.ask(4)), 2);
  assert.equal(desk.ask(5).kind, "queued");
  desk.done(4);
  // Before the next pass a new one of the same lane must still wait.
  assert.equal(desk.ask(6).kind, "queued");
  assert.deepEqual(desk.ends(), [[5, 2]]);
});

Deno.test("time over ends a wait: its own with timeout, the queue's with overloaded", () => {
  const desk = new DeskWorld(1, { maxWaitMs: 2_000 });
  desk.ask(1);
  desk.ask(2, undefined, { remainingMs: 1_000 });
  desk.ask(3, { queueMs: 500 });
  desk.ask(4);
  desk.advance(500);
  assert.deepEqual(desk.ends(), [[3, "overloaded"]]);
  desk.advance(500);
  assert.deepEqual(desk.ends(), [[2, "timeout"]]);
  desk.advance(1_000);
  const [{ outcome }] = desk.pass();
  assert.ok(outcome.kind === "refused" && outcome.error.retryAfterMs! >= 1_000);
  assert.match(outcome.error.message, /waited 2000 ms.*as long as it may/);
  assert.equal(desk.desk.size, 0);
});

Deno.test("cancel() and a complete entry end a wait without an answer", () => {
  const desk = new DeskWorld(1);
  for (const number of [1, 2, 3]) desk.ask(number);
  const key = (number: number) => ({ requestId: requestOf(number), attempt: 0, leg: 0 });
  assert.ok(desk.desk.cancel(streamKeyText(key(2))));
  assert.ok(!desk.desk.cancel(streamKeyText(key(2))));
  assert.ok(desk.desk.heard({ op: "complete", ...key(3) }));
  assert.ok(!desk.desk.heard({ op: "first-token", ...key(3) }));
  desk.done(1);
  assert.deepEqual([desk.desk.size, desk.ends()], [0, []]);
});

Deno.test("waits for workers that all left are refused after 3 s, and the rest goes on", () => {
  const desk = new DeskWorld(2);
  desk.ask(1, { worker: instanceOf(1) });
  desk.ask(2, { worker: instanceOf(1) });
  hear(desk.state, 1, { draining: true });
  assert.deepEqual(desk.ends(), []);
  desk.nowMs = 2_999;
  hear(desk.state, 1, { draining: true, nowMs: desk.nowMs });
  assert.deepEqual(desk.ends(), []);
  desk.nowMs = 3_000;
  assert.deepEqual(desk.ends(), [[2, "no_worker"]]);
});

Deno.test("closing() and frontendsGone() settle whom they mean", () => {
  const desk = new DeskWorld(1);
  for (const number of [1, 2, 3]) desk.ask(number);
  assert.deepEqual(desk.desk.frontendsGone(() => false, 3_000), []);
  assert.deepEqual(desk.desk.frontendsGone(() => true, 4_000), []);
  assert.equal(desk.desk.frontendsGone(() => false, 3_001).length, 2);
  desk.ask(4);
  const [{ outcome }] = desk.desk.closing();
  assert.ok(outcome.kind === "refused" && outcome.error.code === "draining");
  assert.equal(desk.desk.size, 0);
});

Deno.test("a queue of none refuses as soon as every worker is full", () => {
  const desk = new DeskWorld(1, { maxRequests: 0 });
  assert.equal(desk.ask(1).kind, "placed");
  const refused = desk.ask(2);
  assert.ok(refused.kind === "refused" && refused.error.code === "overloaded");
});

Deno.test("busy goes by prefill tokens and blocks, too, where bounds are set", () => {
  const tokens = new DeskWorld(1, { busy: { waitingPerRank: 9, prefillTokens: 100, blocks: 0 } });
  assert.equal(tokens.ask(1).kind, "placed");
  assert.equal(tokens.ask(2).kind, "placed");
  assert.equal(tokens.ask(3).kind, "queued");
  const blocks = new DeskWorld(1, { busy: { waitingPerRank: 9, prefillTokens: 0, blocks: 0.004 } });
  assert.equal(blocks.ask(1).kind, "placed");
  assert.equal(blocks.ask(2).kind, "placed");
  assert.equal(blocks.ask(3).kind, "queued");
});

Deno.test("output and cached tokens count in a tenant's turn", () => {
  const desk = new DeskWorld(1, { maxRequests: 20 });
  desk.ask(1, { tenant: "a" });
  desk.done(1, 1_000);
  const queue = desk.desk.queues.get(modelHash)!;
  assert.equal(queue.counters.of("a"), 64 + 2 * 1_000);
  // The second time nothing is charged: the stream is known to be over.
  desk.done(1, 1_000);
  assert.equal(queue.counters.of("a"), 2_064);
});

Deno.test("a hard session waits for its worker, a soft one goes elsewhere", () => {
  const desk = new DeskWorld(2);
  const hard = { session: "h", sessionMode: "hard" } as const;
  const home = placeOf(desk.ask(1, hard));
  assert.equal(desk.ask(2, hard).kind, "queued");
  const other = placeOf(desk.ask(3, { session: "s" }));
  assert.notEqual(other, home);
  const soft = new DeskWorld(2);
  const first = placeOf(soft.ask(1, { session: "s" }));
  assert.notEqual(placeOf(soft.ask(2, { session: "s" })), first);
  desk.done(1);
  assert.deepEqual(desk.ends(), [[2, home]]);
});

/** What happens in the world of the property test. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("ask" as const), n: fc.nat(999) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("done" as const), n: fc.nat(999) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), n: fc.nat(999) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), n: fc.nat(999) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("worker" as const), n: fc.nat(999) }) },
);

/** Rules under which that world is looked at: as they are by default, and with waits for the best worker. */
const worlds = fc.constantFrom<Pick<QueueRules, "waitForBest" | "workWeight" | "gatherMs">>(
  {},
  { waitForBest: true },
  { waitForBest: true, workWeight: 3 },
  { waitForBest: true, workWeight: 3, gatherMs: 40 },
);

Deno.test("every request ends exactly once, and bounds are kept, whatever happens", () => {
  const property = fc.property(fc.array(step, { maxLength: 120 }), worlds, (steps, rules) => {
    const bounds = { maxRequests: 6, maxTokens: 700, tenantShare: 0.7, maxWaitMs: 3_000 };
    const policy = rules.waitForBest ? "ttft" : "kv";
    const desk = new DeskWorld(2, { ...bounds, ...rules }, { rules: { policy } });
    const running: number[] = [];
    const waiting = new Set<number>();
    const ends = new Map<number, number>();
    const end = (number: number) => ends.set(number, (ends.get(number) ?? 0) + 1);
    let asked = 0;
    const settle = () => {
      for (const { waiting: { request }, outcome } of desk.pass()) {
        const number = parseInt(request.requestId, 16);
        assert.ok(waiting.delete(number), `${number} was settled and did not wait`);
        end(number);
        if (outcome.kind === "placed") running.push(number);
      }
    };
    const hints: (RouteHints | undefined)[] = [
      ...[undefined, { tenant: "a" }, { tenant: "b", priority: 3 }, { worker: instanceOf(1) }],
      ...[{ session: "s", sessionMode: "hard" as const }, { queueMs: 400 }, { priority: -9 }],
    ];
    for (const { do: what, n } of steps) {
      if (what === "ask") {
        const outcome = desk.ask(++asked, hints[n % hints.length], { isl: 16 * (1 + n % 12) });
        if (outcome.kind === "queued") waiting.add(asked);
        else end(asked);
        if (outcome.kind === "placed") running.push(asked);
      } else if (what === "done" && running.length > 0) {
        desk.done(running.splice(n % running.length, 1)[0]);
      } else if (what === "cancel" && waiting.size > 0) {
        const number = [...waiting][n % waiting.size];
        desk.done(number);
        waiting.delete(number);
        end(number);
      } else if (what === "wait") {
        desk.advance(n);
      } else if (what === "worker") {
        putCard(desk.state, cardOf(3 + n % 2, { maxSeqs: 1 }), desk.nowMs);
        hear(desk.state, 3 + n % 2, { nowMs: desk.nowMs });
      }
      settle();
      assert.equal(desk.desk.size, waiting.size);
    }
    desk.advance(3_000);
    settle();
    assert.deepEqual([desk.desk.size, waiting.size], [0, 0]);
    for (let number = 1; number <= asked; number++) assert.equal(ends.get(number), 1);
  });
  fc.assert(property, { numRuns: 400 });
});
