import assert from "node:assert/strict";
import fc from "fast-check";
import { decode, encode, messageNames } from "./codec.ts";
import { decodeGenerateRequest } from "./generate_request.ts";
import { decodeKvEvents } from "./kv_events.ts";
import { decodeLedgerBatch } from "./ledger_batch.ts";
import { limits } from "./limits.ts";
import { checkMessagePack } from "./message_pack.ts";
import type { Result } from "./result.ts";
import { decodeRouteRequest } from "./route_request.ts";
import { plainCrc32 } from "./plain_crc32_testing.ts";
import { sampleBytes } from "./samples.ts";
import { sampleMessages } from "./sample_messages_testing.ts";
import { decodeStepFrame } from "./step_frame.ts";
import { decodeStoreRows } from "./store_rows.ts";
import { readStoredBlock } from "./stored_block.ts";

const decoders: [string, (bytes: Uint8Array) => Result<unknown>][] = [
  ...messageNames.map((name): [string, (bytes: Uint8Array) => Result<unknown>] => [
    name,
    (bytes) => decode(name, bytes),
  ]),
  ["generateRequest", decodeGenerateRequest],
  ["ledgerBatch", decodeLedgerBatch],
  ["routeRequest", decodeRouteRequest],
  ["stepFrame", decodeStepFrame],
  ["kvEvents", decodeKvEvents],
  ["storeRows", decodeStoreRows],
  ["storedBlock", (bytes) => readStoredBlock(bytes, plainCrc32)],
];

function mustBeTyped(result: Result<unknown>): void {
  if (!result.ok) assert.equal(result.error.code, "decode_error");
}

Deno.test("decode() gives back what encode() took, for every message", () => {
  for (const name of messageNames) {
    const back = decode(name, encode(name, sampleMessages[name]));
    assert.ok(back.ok, name);
    assert.deepEqual(
      JSON.parse(JSON.stringify(back.value)),
      JSON.parse(JSON.stringify(sampleMessages[name])),
    );
  }
});

Deno.test("every decoder answers random bytes with a typed decode error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const [, read] of decoders) mustBeTyped(read(bytes));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("every decoder answers damaged messages with a typed decode error or a value", () => {
  const golden = sampleBytes();
  fc.assert(
    fc.property(
      fc.constantFrom(...decoders),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
      fc.nat(),
      ([name, read], edits, cut) => {
        const bytes = golden.get(`${name}.v1.bin`)!.slice();
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        mustBeTyped(read(bytes));
        mustBeTyped(read(bytes.subarray(0, cut % (bytes.length + 1))));
      },
    ),
    { numRuns: 5000 },
  );
});

Deno.test("every decoder refuses each truncation of its message", () => {
  for (const [name, read] of decoders) {
    const bytes = sampleBytes().get(`${name}.v1.bin`)!;
    for (let end = 0; end < bytes.length; end++) {
      const result = read(bytes.subarray(0, end));
      assert.ok(!result.ok && result.error.code === "decode_error", `${name} cut at ${end}`);
    }
  }
});

Deno.test("decode() refuses other versions, other kinds and oversize by name", () => {
  const bytes = encode("part", sampleMessages.part);
  const newer = bytes.slice();
  newer[0] = 9;
  const wrong = decode("part", newer);
  assert.match(wrong.ok ? "" : wrong.error.message, /version 9, this program speaks 1/);
  const other = decode("refusal", bytes);
  assert.match(other.ok ? "" : other.error.message, /kind 20, expected 17/);
  const big = decode("part", new Uint8Array(limits.messageBytes * 2 + 1));
  assert.match(big.ok ? "" : big.error.message, /at most/);
});

Deno.test("decode() refuses what a sender encoded against a field's rule", () => {
  const part = decode("part", encode("part", { ...sampleMessages.part, offset: -1 }));
  assert.ok(!part.ok && part.error.code === "decode_error");
  const load = decode(
    "loadReport",
    encode("loadReport", { ...sampleMessages.loadReport, running: 1.5 }),
  );
  assert.ok(!load.ok && /running/.test(load.error.message));
});

Deno.test("checkMessagePack() refuses bombs before anything is built", () => {
  const deep = new Uint8Array(100_000).fill(0x91);
  assert.match(checkMessagePack(deep, 24) ?? "", /nested deeper|too early/);
  const long = new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff]);
  assert.match(checkMessagePack(long, 24) ?? "", /too early/);
  const extension = new Uint8Array([0xd4, 0, 0]);
  assert.match(checkMessagePack(extension, 24) ?? "", /starts no value/);
  assert.match(checkMessagePack(new Uint8Array([0xc0, 0xc0]), 24) ?? "", /after the end/);
  assert.equal(checkMessagePack(new Uint8Array([0x92, 1, 0xa1, 0x61]), 24), undefined);
});
