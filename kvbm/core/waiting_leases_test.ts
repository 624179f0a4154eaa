import assert from "node:assert/strict";
import fc from "fast-check";
import { mostWaiting, WaitingLeases } from "./waiting_leases.ts";

const small = fc.nat({ max: 3 });
const command = fc.record({
  kind: fc.constantFrom("add", "add", "add", "landed", "lost", "release", "leave"),
  ...{ client: small, lease: small, position: small, block: small, awaits: fc.boolean() },
});

Deno.test("any operations leave the waiting as a plain list of places has it", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      const waiting = new WaitingLeases();
      let model: {
        client: number;
        lease: number;
        position: number;
        lo: number;
        awaits: boolean;
      }[] = [];
      for (const { kind, client, lease, position, block: lo, awaits } of commands) {
        const block = { layout: 0, hi: 0, lo };
        const isSame = (one: { client: number; lease: number }) =>
          one.client === client && one.lease === lease;
        if (kind === "add") {
          if (model.some((one) => isSame(one) && one.position === position)) continue;
          assert.ok(waiting.add(block, { client, lease, position, awaits }));
          model.push({ client, lease, position, lo, awaits });
        } else if (kind === "landed" || kind === "lost") {
          const isTold = (one: typeof model[number]) =>
            one.lo === lo && (kind === "landed" || !one.awaits);
          assert.deepEqual(
            waiting[kind](block),
            model.filter(isTold).map(({ lo: _, ...waiter }) => waiter),
          );
          model = model.filter((one) => !isTold(one));
        } else if (kind === "release") {
          waiting.release(client, lease);
          model = model.filter((one) => !isSame(one));
        } else {
          waiting.leave(client);
          model = model.filter((one) => one.client !== client);
        }
        waiting.checkIntegrity();
        assert.equal(waiting.count, model.length);
        assert.equal(waiting.isWanted(block), model.some((one) => one.lo === lo));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("add() refuses places over the bound", () => {
  const waiting = new WaitingLeases();
  for (let position = 0; position < mostWaiting; position++) {
    waiting.add({ layout: 0, hi: 0, lo: position }, {
      ...{ client: 1, lease: 1, position, awaits: false },
    });
  }
  const more = { client: 1, lease: 2, position: 0, awaits: false };
  assert.equal(waiting.add({ layout: 0, hi: 0, lo: 1 }, more), false);
  waiting.release(1, 1);
  assert.equal(waiting.count, 0);
  assert.equal(waiting.add({ layout: 0, hi: 0, lo: 1 }, more), true);
});
