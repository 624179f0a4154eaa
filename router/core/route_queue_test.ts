import assert from "node:assert/strict";
import fc from "fast-check";
import type { RouteHints, RouteRequest } from "@pixii/wire";
import { instanceOf, modelHash, routeOf } from "../testing/samples.ts";
import { queueRules } from "../testing/queue_rules.ts";
import { agedTurn, mostLanes } from "./queue_rules.ts";
import type { QueueRules } from "./queue_rules.ts";
import { QueueRound } from "./queue_round.ts";
import { RouteQueue } from "./route_queue.ts";
import { laneOf } from "./waiting.ts";
import type { Waiting } from "./waiting.ts";

/** A round that is done with these lanes. */
function roundOf(...closed: readonly string[]): QueueRound {
  const round = new QueueRound();
  for (const lane of closed) round.close(lane);
  return round;
}

const numberOf = ({ request }: Waiting) => parseInt(request.requestId, 16);

function queueOf(more: Partial<QueueRules> = {}): RouteQueue {
  return new RouteQueue(modelHash, queueRules(more));
}

function offer(
  queue: RouteQueue,
  number: number,
  more: RouteHints & { nowMs?: number; blocks?: number; attempt?: number } = {},
) {
  const { nowMs = number, blocks = 4, attempt = 0, ...hints } = more;
  const request = routeOf(number, { hints, blocks, attempt });
  const offered = queue.offer(request, { lane: laneOf(request, undefined), nowMs });
  queue.checkIntegrity();
  return offered;
}

/** Takes everybody in turn; `charge`: what each costs its tenant. */
function drain(queue: RouteQueue, options: { charge?: number; nowMs?: number } = {}): number[] {
  const { charge = 64, nowMs = 1_000 } = options;
  const numbers: number[] = [];
  for (
    let next = queue.next(roundOf(), nowMs);
    next !== undefined;
    next = queue.next(roundOf(), nowMs)
  ) {
    numbers.push(numberOf(next));
    queue.counters.charge(next.tenant, charge);
    queue.placed(next, nowMs);
    queue.checkIntegrity();
  }
  return numbers;
}

Deno.test("next() takes requests of one tenant as they came", () => {
  const queue = queueOf();
  for (const number of [1, 2, 3]) assert.ok(offer(queue, number).ok);
  assert.deepEqual([queue.size, queue.tokens], [3, 192]);
  assert.deepEqual(drain(queue), [1, 2, 3]);
  assert.deepEqual([queue.size, queue.tokens, queue.shares.size], [0, 0, 0]);
});

Deno.test("a point of priority counts as so much earlier, within a tenant", () => {
  const queue = queueOf({ priorityStepMs: 10 });
  offer(queue, 1, { nowMs: 0 });
  offer(queue, 2, { nowMs: 5, priority: 1 });
  offer(queue, 3, { nowMs: 50, priority: 2 });
  offer(queue, 4, { nowMs: 60, priority: -100 });
  assert.deepEqual(drain(queue), [2, 1, 3, 4]);
});

Deno.test("a later attempt goes before first ones, and its tenant's share does not stop it", () => {
  const queue = queueOf({ maxRequests: 4, tenantShare: 0.5 });
  offer(queue, 1, { tenant: "t" });
  offer(queue, 2, { tenant: "t", priority: 1000 });
  assert.ok(offer(queue, 3, { tenant: "t", attempt: 1 }).ok);
  assert.deepEqual(drain(queue), [3, 2, 1]);
});

Deno.test("tenants take turns by what they were served, whoever asks more", () => {
  const queue = queueOf({ maxRequests: 20 });
  for (let number = 1; number <= 6; number++) offer(queue, number, { tenant: "many" });
  for (let number = 7; number <= 9; number++) offer(queue, number, { tenant: "few" });
  assert.deepEqual(drain(queue), [1, 7, 2, 8, 3, 9, 4, 5, 6]);
});

Deno.test("an idle tenant saves up no turns", () => {
  const queue = queueOf({ maxRequests: 20 });
  queue.counters.charge("busy", 10_000);
  for (let number = 1; number <= 3; number++) offer(queue, number, { tenant: "busy" });
  for (let number = 4; number <= 6; number++) offer(queue, number, { tenant: "idle" });
  assert.deepEqual(drain(queue), [1, 4, 2, 5, 3, 6]);
});

Deno.test("every fourth turn is of whoever waited longest, once that is long", () => {
  const queue = queueOf({ maxRequests: 20, agedMs: 500 });
  offer(queue, 1, { nowMs: 0, priority: -1000 });
  for (let number = 2; number <= 8; number++) offer(queue, number, { nowMs: 900, priority: 9 });
  assert.deepEqual(drain(queue, { nowMs: 1_000 }), [2, 3, 4, 1, 5, 6, 7, 8]);
  const young = queueOf({ maxRequests: 20, agedMs: 5_000 });
  offer(young, 1, { nowMs: 0, priority: -1000 });
  for (let number = 2; number <= 5; number++) offer(young, number, { nowMs: 900, priority: 9 });
  assert.deepEqual(drain(young, { nowMs: 1_000 }), [2, 3, 4, 5, 1]);
});

Deno.test("a closed lane keeps nobody of other lanes waiting", () => {
  const queue = queueOf();
  offer(queue, 1, { worker: instanceOf(1) });
  offer(queue, 2);
  const pinned = queue.next(roundOf(), 10)!;
  assert.equal(numberOf(pinned), 1);
  assert.equal(numberOf(queue.next(roundOf(pinned.lane), 10)!), 2);
  assert.equal(queue.next(roundOf(pinned.lane, ""), 10), undefined);
  assert.ok(queue.hasLane("") && queue.hasLane(pinned.lane) && !queue.hasLane("other"));
});

Deno.test("laneOf() is empty without hints that name workers, and tells different ones apart", () => {
  const lane = (hints: RouteHints, bound?: string) => laneOf(routeOf(1, { hints }), bound);
  assert.equal(laneOf(routeOf(1), undefined), "");
  assert.equal(lane({ priority: 3, session: "s", tenant: "t" }), "");
  const all = [
    lane({ worker: instanceOf(1) }),
    lane({ allow: [instanceOf(1)] }),
    lane({ deny: [instanceOf(1)] }),
    lane({ require: ["zone=a"] }),
    lane({ tolerate: ["zone=a"] }),
    lane({ dpRank: 1 }),
    lane({}, "rank"),
  ];
  assert.equal(new Set([...all, ""]).size, 8);
  assert.equal(lane({ tolerate: ["*"] }), lane({ tolerate: ["a", "*"] }));
});

Deno.test("a full queue refuses with 529 and a wait out of the drain rate", () => {
  const queue = queueOf({ maxRequests: 3 });
  for (const number of [1, 2, 3, 4]) offer(queue, number, { nowMs: 0 });
  const next = queue.next(roundOf(), 2_000)!;
  queue.placed(next, 2_000);
  offer(queue, 5, { nowMs: 2_000 });
  const refused = offer(queue, 6, { nowMs: 2_000 });
  assert.ok(!refused.ok);
  assert.deepEqual([refused.error.code, refused.error.retryAfterMs], ["overloaded", 8_000]);
  assert.match(refused.error.message, /queue \(3 requests, 192 tokens\); try again in 8 s/);
});

Deno.test("bounds of tokens and lanes refuse, too", () => {
  const small = queueOf({ maxTokens: 100 });
  assert.ok(offer(small, 1).ok);
  const over = offer(small, 2);
  assert.ok(!over.ok && over.error.code === "overloaded");
  const lanes = queueOf({ maxRequests: 1_000, maxTokens: 1_000_000 });
  for (let number = 1; number <= mostLanes; number++) {
    assert.ok(offer(lanes, number, { worker: instanceOf(number) }).ok);
  }
  const lane = offer(lanes, 999, { worker: instanceOf(999) });
  assert.ok(!lane.ok && lane.error.code === "overloaded");
  assert.ok(offer(lanes, 1_000, { worker: instanceOf(1) }).ok);
});

Deno.test("a tenant over its share is refused with 429, others are not", () => {
  const queue = queueOf({ maxRequests: 10, tenantShare: 0.2 });
  assert.ok(offer(queue, 1, { tenant: "a" }).ok && offer(queue, 2, { tenant: "a" }).ok);
  const over = offer(queue, 3, { tenant: "a" });
  assert.ok(!over.ok && over.error.code === "rate_limited" && over.error.retryAfterMs! > 0);
  assert.ok(offer(queue, 4, { tenant: "b" }).ok);
  assert.ok(offer(queue, 5).ok && offer(queue, 6).ok);
  const untold = offer(queue, 7);
  assert.ok(!untold.ok && untold.error.code === "overloaded");
});

Deno.test("a request that may not wait is refused, and one offered twice waits once", () => {
  const queue = queueOf();
  const refused = offer(queue, 1, { queueMs: 0 });
  assert.ok(!refused.ok && refused.error.code === "overloaded");
  const [first, second] = [offer(queue, 2), offer(queue, 2)];
  assert.ok(first.ok && second.ok && first.value === second.value);
  assert.equal(queue.size, 1);
});

Deno.test("expired() names those whose own time, or longest wait, is over", () => {
  const queue = queueOf({ maxWaitMs: 5_000 });
  const request = (number: number, more: Partial<RouteRequest>) => {
    const one = routeOf(number, more);
    assert.ok(queue.offer(one, { lane: "", nowMs: 0 }).ok);
  };
  request(1, { remainingMs: 1_000 });
  request(2, {});
  request(3, { hints: { queueMs: 2_000 } });
  const at = (nowMs: number) => queue.expired(nowMs).map(numberOf);
  assert.deepEqual([at(999), at(1_000), at(2_000)], [[], [1], [1, 3]]);
  assert.deepEqual(at(5_000), [1, 2, 3]);
});

/** An arrival: how long after the one before, from whom, how urgent. */
const arrival = fc.record({
  gapMs: fc.nat(50),
  tenant: fc.constantFrom(undefined, "a", "b", "c"),
  priority: fc.integer({ min: -1000, max: 1000 }),
  blocks: fc.integer({ min: 1, max: 40 }),
});

Deno.test("nobody starves: an aged request goes within four turns per older one, whoever else comes", () => {
  const agedMs = 300;
  const property = fc.property(
    fc.array(arrival, { minLength: 1, maxLength: 12 }),
    fc.nat(5),
    (crowd, victimAt) => {
      const queue = queueOf({
        ...{ maxRequests: 64, maxTokens: 1e9, agedMs, priorityStepMs: 1_000, promptTokenMs: 10 },
      });
      let [nowMs, number] = [0, 0];
      const come = (one: { tenant?: string; priority: number; blocks: number }) =>
        offer(queue, ++number, { ...one, nowMs });
      for (const one of crowd.slice(0, victimAt)) {
        come(one);
        nowMs += one.gapMs;
      }
      // The least urgent of a tenant that was served a lot already.
      queue.counters.charge("victim", 1e9);
      come({ tenant: "victim", priority: -1000, blocks: 40 });
      const victim = number;
      const older = queue.size - 1;
      nowMs += agedMs + 1;
      // From now on two come for each that goes: the queue stays full of more urgent, less served ones.
      const most = agedTurn * (older + 1);
      for (let turn = 0; turn < most; turn++) {
        for (let i = 0; i < 2; i++) {
          const one = crowd[(turn + i) % crowd.length];
          come({ ...one, tenant: `fresh${number}`, priority: 1000 });
        }
        const next = queue.next(roundOf(), nowMs)!;
        queue.counters.charge(next.tenant, next.request.isl);
        queue.placed(next, nowMs);
        if (numberOf(next) === victim) return;
        nowMs += 1;
      }
      assert.fail(`the victim waits after ${most} turns with ${older} older ones`);
    },
  );
  fc.assert(property, { numRuns: 200 });
});

Deno.test("two tenants that always have something waiting are served alike, within one request", () => {
  const property = fc.property(
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 8, maxLength: 40 }),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 8, maxLength: 40 }),
    (mine, theirs) => {
      const queue = queueOf({ maxRequests: 100, maxTokens: 1e9 });
      mine.forEach((blocks, i) => offer(queue, i + 1, { tenant: "a", blocks, nowMs: 0 }));
      theirs.forEach((blocks, i) => offer(queue, i + 101, { tenant: "b", blocks, nowMs: 0 }));
      while (queue.shares.size === 2) {
        const next = queue.next(roundOf(), 1)!;
        queue.counters.charge(next.tenant, next.request.isl);
        queue.placed(next, 1);
        const apart = Math.abs(queue.counters.of("a") - queue.counters.of("b"));
        assert.ok(apart <= 40 * 16, `they are ${apart} tokens apart`);
      }
    },
  );
  fc.assert(property, { numRuns: 100 });
});

Deno.test("where a prompt's length counts, a short one passes a long one that came little before", () => {
  const queue = queueOf({ promptTokenMs: 1 });
  const wait = (number: number, blocks: number, nowMs: number) => {
    const offered = queue.offer(routeOf(number, { blocks }), { lane: "", nowMs });
    assert.ok(offered.ok);
    return offered.value;
  };
  const long = wait(1, 100, 0);
  const short = wait(2, 1, 1_000);
  const late = wait(3, 1, 5_000);
  const order = [0, 0, 0].map(() => {
    const next = queue.next(roundOf(), 5_000)!;
    queue.placed(next, 5_000);
    return next;
  });
  assert.deepEqual(order, [short, long, late]);
  queue.checkIntegrity();
});
