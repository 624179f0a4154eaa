import assert from "node:assert/strict";
import fc from "fast-check";
import { encode } from "./codec.ts";
import type { InstanceId, ModelHash, RequestId } from "./ids.ts";
import type { LedgerEntry } from "./ledger.ts";
import { decodeLedgerBatch, encodeLedgerBatch } from "./ledger_batch.ts";
import { sampleMessages } from "./sample_messages_testing.ts";

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const key = { requestId: hex(32) as fc.Arbitrary<RequestId>, attempt: u16, leg: u16 };
const instance = hex(16) as fc.Arbitrary<InstanceId>;
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const text = fc.string({ unit: "grapheme", maxLength: 30 });

const anyEntry: fc.Arbitrary<LedgerEntry> = fc.oneof(
  fc.record({
    ...{ op: fc.constant("book" as const), ...key, model: hex(16) as fc.Arbitrary<ModelHash> },
    ...{ worker: fc.record({ instance, dpRank: u16 }), frontend: instance },
    ...{ prefillTokens: u32, blocks: u32, session: maybe(text), sessionTtlMs: maybe(u32) },
  }),
  fc.record({ op: fc.constant("first-token" as const), ...key, cachedTokens: maybe(u32) }),
  fc.record({
    ...{ op: fc.constant("complete" as const), ...key, outputTokens: maybe(u32) },
    reason: maybe(text),
  }),
);

const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

Deno.test("decodeLedgerBatch() gives back any batch, and reads MessagePack still", () => {
  fc.assert(
    fc.property(instance, fc.array(anyEntry, { maxLength: 40 }), (from, entries) => {
      for (
        const bytes of [
          encodeLedgerBatch({ from, entries }),
          encode("ledgerBatch", { from, entries }),
        ]
      ) {
        const back = decodeLedgerBatch(bytes);
        assert.ok(back.ok, back.ok ? "" : back.error.message);
        assert.deepEqual(plain(back.value), plain({ from, entries }));
      }
    }),
  );
});

Deno.test("decodeLedgerBatch() refuses what is cut, too long or unknown", () => {
  const { from, entries } = sampleMessages.ledgerBatch;
  const bytes = encodeLedgerBatch({ from, entries });
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.equal(decodeLedgerBatch(bytes.subarray(0, cut)).ok, false, `cut at ${cut}`);
  }
  const refused = (change: (copy: Uint8Array) => void, message: RegExp) => {
    const copy = bytes.slice();
    change(copy);
    const back = decodeLedgerBatch(copy);
    assert.ok(!back.ok);
    assert.match(back.error.message, message);
  };
  refused((copy) => copy[12] = 9, /entry 0 is unknown/);
  refused((copy) => copy[3] = 2, /at most 256/);
  refused((copy) => new DataView(copy.buffer).setUint16(18, 0xffff, true), /too long/);
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  assert.equal(decodeLedgerBatch(longer).ok, false);
});
