import assert from "node:assert/strict";
import fc from "fast-check";
import { workerRankText } from "@pixii/wire";
import type { LedgerEntry, StreamKey } from "@pixii/wire";
import { instanceOf, modelHash, requestOf } from "../testing/samples.ts";
import { Ledger, ledgerLimits } from "./ledger.ts";

const frontend = instanceOf(0xf1);
const rankOf = (number: number) => ({ instance: instanceOf(number), dpRank: 0 });
const keyOf = (number: number): StreamKey => ({ requestId: requestOf(number), attempt: 0, leg: 0 });
const claimOf = (worker: number, more = {}) => ({
  ...{ worker: rankOf(worker), frontend, prefillTokens: 64, blocks: 5 },
  ...more,
});
const bookOf = (number: number, worker: number, more = {}): LedgerEntry => ({
  ...{ op: "book", ...keyOf(number), model: modelHash, ...claimOf(worker) },
  ...more,
});
const firstOf = (number: number): LedgerEntry => ({ op: "first-token", ...keyOf(number) });
const completeOf = (number: number): LedgerEntry => ({ op: "complete", ...keyOf(number) });

function sums(ledger: Ledger, worker = 1): number[] {
  const load = ledger.loadOf(workerRankText(rankOf(worker)));
  return load === undefined ? [0, 0, 0] : [load.bookings, load.prefillTokens, load.blocks];
}

Deno.test("a stream counts its prefill until the first token and its blocks until the end", () => {
  const ledger = new Ledger();
  assert.equal(ledger.apply(bookOf(1, 1), 0), "applied");
  assert.deepEqual(sums(ledger), [1, 64, 5]);
  ledger.apply(firstOf(1), 1);
  assert.deepEqual(sums(ledger), [1, 0, 5]);
  ledger.apply(completeOf(1), 2);
  assert.deepEqual(sums(ledger), [0, 0, 0]);
  ledger.checkIntegrity();
});

Deno.test("every entry counts once", () => {
  const ledger = new Ledger();
  for (const entry of [bookOf(1, 1), firstOf(1), completeOf(1)]) {
    assert.equal(ledger.apply(entry, 0), "applied");
    assert.equal(ledger.apply(entry, 0), "known");
  }
  ledger.checkIntegrity();
});

Deno.test("a stream that ended does not come back by a late book or decision", () => {
  const ledger = new Ledger();
  ledger.apply(completeOf(1), 0);
  assert.equal(ledger.apply(bookOf(1, 1), 1), "late");
  ledger.decide(keyOf(1), claimOf(1), 2);
  assert.equal(ledger.size, 0);
});

Deno.test("the frontend's book confirms the router's decision and corrects it", () => {
  const ledger = new Ledger();
  ledger.decide(keyOf(1), claimOf(1), 0);
  assert.equal(ledger.unconfirmed, 1);
  ledger.apply(bookOf(1, 2, { prefillTokens: 32 }), 1);
  assert.deepEqual([sums(ledger, 1), sums(ledger, 2)], [[0, 0, 0], [1, 32, 5]]);
  ledger.decide(keyOf(1), claimOf(1), 2);
  assert.deepEqual([ledger.unconfirmed, sums(ledger, 2)], [0, [1, 32, 5]]);
  ledger.checkIntegrity();
});

Deno.test("a decision made again takes the place of the first", () => {
  const ledger = new Ledger();
  ledger.decide(keyOf(1), claimOf(1), 0);
  ledger.decide(keyOf(1), claimOf(2), 10);
  assert.deepEqual([sums(ledger, 1), sums(ledger, 2)], [[0, 0, 0], [1, 64, 5]]);
  ledger.checkIntegrity();
});

Deno.test("sweep() drops decisions that nobody confirmed in time", () => {
  const ledger = new Ledger();
  ledger.frontendCame(frontend);
  ledger.decide(keyOf(1), claimOf(1), 0);
  ledger.decide(keyOf(2), claimOf(1), 100);
  ledger.apply(bookOf(2, 1), 200);
  assert.equal(ledger.sweep(ledgerLimits.confirmMs - 1).unconfirmed, 0);
  assert.equal(ledger.sweep(ledgerLimits.confirmMs).unconfirmed, 1);
  assert.equal(ledger.size, 1);
  // A book that was only late counts.
  assert.equal(ledger.apply(bookOf(1, 1), 6_000), "applied");
  assert.equal(ledger.size, 2);
});

Deno.test("bookings die with their frontend, after a grace in which it may come back", () => {
  const ledger = new Ledger();
  ledger.frontendsAre(new Set([frontend]), 0);
  ledger.apply(bookOf(1, 1), 0);
  ledger.apply(bookOf(2, 1, { frontend: instanceOf(0xf2) }), 0);
  ledger.frontendCame(instanceOf(0xf2));
  ledger.frontendsAre(new Set([instanceOf(0xf2)]), 1_000);
  assert.equal(ledger.sweep(3_999).orphaned, 0);
  ledger.frontendCame(frontend);
  assert.equal(ledger.sweep(10_000).orphaned, 0);
  ledger.frontendLeft(frontend, 11_000);
  assert.equal(ledger.sweep(11_000 + ledgerLimits.frontendGraceMs).orphaned, 1);
  assert.equal(ledger.size, 1);
  ledger.checkIntegrity();
});

Deno.test("bookings of a frontend that never shows up in the registry end, too", () => {
  const ledger = new Ledger();
  ledger.apply(bookOf(1, 1), 500);
  assert.equal(ledger.sweep(500 + ledgerLimits.frontendGraceMs).orphaned, 1);
  ledger.checkIntegrity();
});

Deno.test("closeRank() ends the bookings of a rank, and a rank nobody follows leaves no trace", () => {
  const ledger = new Ledger();
  const key = workerRankText(rankOf(1));
  const load = ledger.openRank(key);
  ledger.apply(bookOf(1, 1), 0);
  ledger.apply(completeOf(1), 0);
  assert.equal(ledger.loadOf(key), load);
  ledger.apply(bookOf(2, 1), 0);
  ledger.closeRank(key);
  assert.deepEqual([ledger.size, ledger.loadOf(key)], [0, undefined]);
  ledger.apply(bookOf(3, 1), 0);
  assert.deepEqual(sums(ledger), [1, 64, 5]);
  ledger.apply(completeOf(3), 0);
  assert.equal(ledger.loadOf(key), undefined);
  ledger.checkIntegrity();
});

Deno.test("what counts in the end does not depend on the order or the number of copies", () => {
  const life = fc.record({
    worker: fc.integer({ min: 1, max: 3 }),
    hasFirst: fc.boolean(),
    isComplete: fc.boolean(),
    isDecided: fc.boolean(),
  });
  const lives = fc.array(life, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(lives, fc.array(fc.nat(), { minLength: 100, maxLength: 100 }), (all, order) => {
      const entries = all.flatMap(({ worker, hasFirst, isComplete }, i) => [
        bookOf(i, worker),
        ...(hasFirst ? [firstOf(i)] : []),
        ...(isComplete ? [completeOf(i)] : []),
      ]);
      const copies = [...entries, ...entries.filter((_, i) => order[i] % 2 === 0)];
      const shuffled = copies.map((entry, i) => ({ entry, at: order[i % 100] })).sort((a, b) =>
        a.at - b.at
      ).map(({ entry }) => entry);
      const [inOrder, outOfOrder] = [new Ledger(), new Ledger()];
      for (const entry of entries) inOrder.apply(entry, 0);
      all.forEach(({ isDecided }, i) => {
        // The router's own booking may be for another worker than the one in the frontend's word.
        if (isDecided) outOfOrder.decide(keyOf(i), claimOf(3, { prefillTokens: 7 }), 0);
      });
      for (const entry of shuffled) {
        outOfOrder.apply(entry, 0);
        outOfOrder.checkIntegrity();
      }
      for (const worker of [1, 2, 3]) {
        assert.deepEqual(sums(outOfOrder, worker), sums(inOrder, worker));
      }
      assert.equal(outOfOrder.size, all.filter((one) => !one.isComplete).length);
    }),
    { numRuns: 500 },
  );
});
