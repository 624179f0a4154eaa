import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeKvEvents } from "@pixii/wire";
import type { KvEventBatch } from "@pixii/wire";
import { batchOf, hashesOf, instanceOf, type modelHash, storedOf } from "../testing/samples.ts";
import { stateOf } from "../testing/state_of.ts";

function message(number: number, more: Partial<KvEventBatch> = {}): Uint8Array {
  const events = [storedOf(hashesOf(number, 4), 10 * number)];
  return encodeKvEvents(batchOf(1, { number, events, ...more }));
}

Deno.test("eventBytes() applies a source's messages in order, and tells of the rest what it is", () => {
  const state = stateOf(2);
  const said = (bytes: Uint8Array) => {
    const taken = state.eventBytes(bytes, 0);
    return taken.ok ? taken.value?.result ?? "unknown" : taken.error.code;
  };
  assert.deepEqual([1, 2, 2].map((n) => said(message(n))), ["applied", "applied", "duplicate"]);
  assert.equal(said(message(3, { blockSize: 32 })), "skipped");
  assert.equal(said(message(3, { owner: instanceOf(9) })), "unknown");
  assert.equal(said(message(3, { dpRank: 7 })), "unknown");
  assert.equal(said(message(3, { model: "00000000000000aa" as typeof modelHash })), "unknown");
  assert.equal(said(message(3, { cacheGroup: 1 })), "applied");
  assert.equal(said(message(4).slice(0, 60)), "decode_error");
  assert.equal(said(message(4)), "applied");
  assert.equal(said(message(6)), "buffered");
  // A publisher that restarts counts from 1 under a new epoch, and holds nothing of before.
  assert.equal(said(message(1, { epoch: instanceOf(0x77) })), "applied");
  assert.equal(state.streams.budget.usedBlocks, 4);
  assert.equal(said(message(7)), "old-epoch");
  state.checkIntegrity();
});

Deno.test("eventBytes() survives any damage to a message, and stays within its books", () => {
  const change = fc.tuple(fc.nat(1_000), fc.nat(255));
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 20 }), (messages) => {
      const state = stateOf(2);
      messages.forEach((changes, i) => {
        const bytes = message(i + 1);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        state.eventBytes(bytes, i);
      });
      state.checkIntegrity();
      assert.ok(state.streams.budget.usedBytes <= state.streams.budget.capacityBytes);
    }),
    { numRuns: 200 },
  );
});
