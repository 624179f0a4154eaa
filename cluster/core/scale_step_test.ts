import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { InstanceId, Role, ScaleRecord } from "@pixii/wire";
import { mostScaledWorkers, scaleStep, scaleText } from "./scale_step.ts";
import type { OwnWorker, ScaleSight } from "./scale_step.ts";

const idOf = (number: number) => number.toString(16).padStart(16, "0") as InstanceId;

function record(over: Partial<ScaleRecord>): ScaleRecord {
  return {
    ...{ id: "d", model: "m", workers: 1, startRole: "both", stop: [], reason: "a test", by: "p" },
    ...over,
  };
}

function worker(number: number, role: Role = "both", isLeaving = false): OwnWorker {
  return { label: `w-${number}`, instance: idOf(number), role, isLeaving };
}

function sight(own: readonly OwnWorker[], over: Partial<ScaleSight> = {}): ScaleSight {
  return { own, others: [], givenUp: 0, ...over };
}

Deno.test("scaleStep() starts what is missing, ends the named ones and then the youngest", () => {
  const own = [worker(1), worker(2), worker(3)];
  assert.deepEqual(scaleStep(record({ workers: 3 }), sight(own)), { start: [], stop: [] });
  assert.deepEqual(scaleStep(record({ workers: 5 }), sight(own)).start, ["both", "both"]);
  assert.deepEqual(scaleStep(record({ workers: 2, stop: [idOf(1)] }), sight(own)).stop, ["w-1"]);
  assert.deepEqual(scaleStep(record({ workers: 1 }), sight(own)).stop, ["w-2", "w-3"]);
  assert.deepEqual(scaleStep(record({ workers: 1, stop: [idOf(1)] }), sight(own)).stop, [
    "w-1",
    "w-3",
  ]);
});

Deno.test("scaleStep() ends all for 0 workers and starts again from none", () => {
  const none = scaleStep(record({ workers: 0 }), sight([worker(1), worker(2)]));
  assert.deepEqual(none, { start: [], stop: ["w-1", "w-2"] });
  const leaving = [worker(1, "both", true)];
  assert.deepEqual(scaleStep(record({ workers: 0 }), sight(leaving)), { start: [], stop: [] });
  assert.deepEqual(scaleStep(record({ workers: 2, startRole: "decode" }), sight(leaving)), {
    start: ["decode", "decode"],
    stop: [],
  });
});

Deno.test("scaleStep() starts each role that is missing", () => {
  const own = [worker(1, "prefill"), worker(2, "decode")];
  const more = record({ workers: 4, startRole: "prefill" });
  const roles = { prefill: 2, decode: 2, both: 0 };
  assert.deepEqual(scaleStep({ ...more, roles }, sight(own)).start, ["prefill", "decode"]);
  assert.deepEqual(scaleStep(more, sight(own)).start, ["prefill", "prefill"]);
});

Deno.test("scaleStep() counts workers of others, never ends them, and tries none again that was given up", () => {
  const others = ["both", "both"] as const;
  assert.deepEqual(scaleStep(record({ workers: 3 }), sight([], { others })).start, ["both"]);
  assert.deepEqual(scaleStep(record({ workers: 1 }), sight([worker(1)], { others })).stop, []);
  assert.deepEqual(scaleStep(record({ workers: 3 }), sight([], { givenUp: 2 })).start, ["both"]);
});

Deno.test("scaleStep() leads to what is asked for, within its limit, and then leaves nothing to do", () => {
  const roles: readonly Role[] = ["prefill", "decode", "both"];
  const role = fc.constantFrom(...roles);
  const own = fc.array(fc.record({ role, isLeaving: fc.boolean() }), { maxLength: 70 });
  const counts = fc.record({ prefill: fc.nat(40), decode: fc.nat(40), both: fc.nat(40) });
  const property = fc.property(
    own,
    fc.array(role, { maxLength: 5 }),
    fc.nat(3),
    fc.record({
      workers: fc.nat(80),
      roles: fc.option(counts, { nil: undefined }),
      startRole: role,
      stop: fc.array(fc.nat(80).map(idOf), { maxLength: 64 }),
    }),
    (drawn, others, givenUp, asked) => {
      const before = drawn.map((one, at) => worker(at, one.role, one.isLeaving));
      const order = record(asked);
      const step = scaleStep(order, sight(before, { others, givenUp }));
      const staying = before.filter((one) => !one.isLeaving).map(({ label }) => label);
      assert.ok(step.stop.every((label) => staying.includes(label)));
      assert.equal(new Set(step.stop).size, step.stop.length);
      assert.ok(step.start.length <= Math.max(0, mostScaledWorkers - before.length));
      const after = [
        ...before.map((one) => step.stop.includes(one.label) ? { ...one, isLeaving: true } : one),
        ...step.start.map((started, at) => worker(1_000 + at, started)),
      ];
      const again = scaleStep(order, sight(after, { others, givenUp }));
      assert.deepEqual(again, { start: [], stop: [] });
      const serve = after.filter((one) => !one.isLeaving);
      assert.ok(serve.length <= order.workers, "never more of its own than asked for");
      assert.ok(serve.every(({ instance }) => !order.stop.includes(instance as InstanceId)));
      const isFull = after.length >= mostScaledWorkers;
      const all = serve.length + others.length + givenUp;
      assert.ok(all >= order.workers || isFull, "what is missing was started, or there is no room");
      // Once those that end are gone there is room for the rest.
      const rest = scaleStep(order, sight(serve, { others, givenUp }));
      assert.equal(
        serve.length + rest.start.length,
        Math.max(
          serve.length,
          Math.min(order.workers - others.length - givenUp, mostScaledWorkers),
        ),
      );
    },
  );
  fc.assert(property, { numRuns: 500 });
});

Deno.test("scaleText() says in one line what is started, what is stopped and why", () => {
  const text = scaleText("tiny", {
    started: [["worker/tiny-3", "decode"]],
    stopped: ["worker/tiny-1"],
    why: "pinned",
  });
  assert.equal(
    text,
    "scale     tiny: starts worker/tiny-3 (decode), stops worker/tiny-1; pinned",
  );
});
