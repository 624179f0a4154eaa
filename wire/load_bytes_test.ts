import assert from "node:assert/strict";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { decode, encode } from "./codec.ts";
import { loadReport } from "./load.ts";
import type { LoadReport } from "./load.ts";
import { readLoadReport } from "./load_bytes.ts";
import { flipStates, roles } from "./role.ts";
import { sampleMessages } from "./sample_messages_testing.ts";

const hex = fc.string({
  unit: fc.constantFrom(..."0123456789abcdef"),
  minLength: 16,
  maxLength: 16,
});
const u32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffffffff }));
const count = fc.oneof(u32, fc.maxSafeNat());
const finite = fc.oneof(fc.nat(9), fc.double({ noNaN: true, noDefaultInfinity: true }));
const flip = fc.record({
  id: fc.string({ maxLength: 60 }),
  to: fc.constantFrom(...roles),
  state: fc.constantFrom(...flipStates),
  reason: fc.option(fc.string({ maxLength: 300 }), { nil: undefined }),
});
const report: fc.Arbitrary<LoadReport> = fc.record({
  ...{ instance: hex as never, model: hex as never, dpRank: fc.nat(0xffff) },
  ...{ role: fc.constantFrom(...roles), flip: fc.option(flip, { nil: undefined }) },
  ...{ draining: fc.boolean(), running: u32, waiting: u32, maxSeqs: u32, prefillTokens: u32 },
  ...{ activeBlocks: u32, cachedBlocks: u32, totalBlocks: u32, stepCount: count },
  ...{ stepAgeMs: finite, kvEventNumber: count, activeStreams: u32, activeDigestHi: u32 },
  ...{ activeDigestLo: u32, prefillRate: finite, decodeRate: finite },
}) as never;

/** What the codec alone makes of the bytes: zod's word on what MessagePack says. */
function slowly(bytes: Uint8Array): unknown {
  const unpacked = new Packr({ useRecords: false }).unpack(bytes.subarray(2));
  const parsed = loadReport.safeParse(unpacked);
  return parsed.success ? parsed.data : undefined;
}

Deno.test("readLoadReport() reads what the codec reads, in any order of the fields", () => {
  let plain = 0;
  fc.assert(
    fc.property(report, fc.infiniteStream(fc.nat(99)), (value, ranks) => {
      const entries = Object.entries(value).map((entry) => ({ entry, rank: ranks.next().value! }));
      const shuffled = entries.toSorted((a, b) => a.rank - b.rank).map(({ entry }) => entry);
      for (const one of [value, Object.fromEntries(shuffled) as LoadReport]) {
        const bytes = encode("loadReport", one);
        const read = readLoadReport(bytes, 2);
        if (read === undefined) continue;
        plain += 1;
        assert.deepEqual(read, slowly(bytes));
        assert.deepEqual(decode("loadReport", bytes), { ok: true, value: read });
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(plain > 400, `only ${plain} of 1,000 were plain`);
});

Deno.test("readLoadReport() takes nothing that the codec refuses, however a message is damaged", () => {
  const change = fc.tuple(fc.nat(1_000), fc.nat(255));
  let taken = 0;
  fc.assert(
    fc.property(
      report,
      fc.array(change, { minLength: 1, maxLength: 2 }),
      fc.nat(400),
      (value, changes, cut) => {
        const bytes = encode("loadReport", value);
        for (const [at, byte] of changes) bytes[2 + at % (bytes.length - 2)] = byte;
        const damaged = cut < 100 ? bytes.subarray(0, Math.max(2, bytes.length - cut)) : bytes;
        const read = readLoadReport(damaged, 2);
        if (read === undefined) return;
        taken += 1;
        assert.deepEqual(read, slowly(damaged));
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(taken > 10, `only ${taken} were still reports`);
});

Deno.test("readLoadReport() leaves to the codec what is not plain: other fields, other texts, too few", () => {
  const value = sampleMessages.loadReport;
  assert.ok(readLoadReport(encode("loadReport", value), 2) !== undefined);
  const others: Record<string, unknown>[] = [
    { ...value, more: 1 },
    { ...value, flip: { id: "ü", to: "both", state: "done" } },
    { ...value, flip: { id: "a", to: "both" } },
    { ...value, running: undefined },
    { ...value, running: -1 },
    { ...value, running: 1.5 },
    { ...value, dpRank: 70_000 },
    { ...value, role: "all" },
    { ...value, instance: "ABCDEF0123456789" },
    { ...value, stepAgeMs: Infinity },
    { ...value, draining: 1 },
  ];
  for (const other of others) {
    assert.equal(readLoadReport(encode("loadReport", other as LoadReport), 2), undefined);
  }
  // What is right in its way is read all the same.
  assert.ok(decode("loadReport", encode("loadReport", others[0] as LoadReport)).ok);
  assert.ok(decode("loadReport", encode("loadReport", others[1] as LoadReport)).ok);
  assert.ok(!decode("loadReport", encode("loadReport", others[5] as LoadReport)).ok);
});
