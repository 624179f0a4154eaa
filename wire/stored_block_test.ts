import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { plainCrc32 } from "./plain_crc32_testing.ts";
import { layoutHash, storeKeyText } from "./store_key.ts";
import { decodeStoreRows, encodeStoreRows, mostStoreRows, storeOps } from "./store_rows.ts";
import type { StoreOp } from "./store_rows.ts";
import { payloadOffset, readStoredBlock, writeStoredBlock } from "./stored_block.ts";
import type { StoredBlock } from "./stored_block.ts";

const u32 = fc.nat(0xffffffff);
const plain = { noNullPrototype: true } as const;
const hash = fc.record({ hi: u32, lo: u32 }, plain);
/** All but `handover` and `end`. */
const requiredBlockKeys = [
  ...[
    "key",
    "parent",
    "index",
    "tokens",
    "scope",
    "decoded",
    "payloadBytes",
    "payloadCrc",
  ] as const,
];
const block: fc.Arbitrary<StoredBlock> = fc.record({
  key: fc.record({ route: hash, layout: hash }, plain),
  parent: fc.option(hash, { nil: undefined }),
  index: u32,
  tokens: fc.uint32Array({ minLength: 1, maxLength: 70 }),
  scope: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  decoded: fc.boolean(),
  payloadBytes: fc.nat(1000),
  payloadCrc: u32,
  handover: fc.record({ token: u32, index: u32 }, plain),
  end: fc.constant(true as const),
}, { ...plain, requiredKeys: requiredBlockKeys });

function slotOf(value: StoredBlock): Uint8Array {
  const slot = new Uint8Array(payloadOffset(value.tokens.length) + value.payloadBytes).fill(7);
  writeStoredBlock(slot, value, crc32);
  return slot;
}

Deno.test("the platform's crc32 is the one the format names", () => {
  assert.equal(plainCrc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => assert.equal(crc32(bytes), plainCrc32(bytes))),
  );
});

Deno.test("readStoredBlock() gives back what writeStoredBlock() took and leaves the payload alone", () => {
  fc.assert(fc.property(block, (value) => {
    const slot = slotOf(value);
    const back = readStoredBlock(slot, crc32);
    assert.ok(back.ok);
    assert.deepEqual(back.value, value);
    assert.ok(slot.subarray(payloadOffset(value.tokens.length)).every((byte) => byte === 7));
  }));
});

Deno.test("readStoredBlock() refuses a header with any one bit flipped, and a cut one", () => {
  fc.assert(fc.property(block, fc.nat(), fc.nat(7), (value, at, bit) => {
    const slot = slotOf(value);
    const offset = payloadOffset(value.tokens.length);
    slot[at % offset] ^= 1 << bit;
    const back = readStoredBlock(slot, crc32);
    assert.ok(!back.ok && back.error.code === "decode_error");
    assert.ok(!readStoredBlock(slotOf(value).subarray(0, at % offset), crc32).ok);
  }));
});

Deno.test("writeStoredBlock() refuses a slot that is too small", () => {
  const value = fc.sample(block, 1)[0];
  const slot = new Uint8Array(payloadOffset(value.tokens.length) + value.payloadBytes - 1);
  assert.throws(() => writeStoredBlock(slot, value, crc32), RangeError);
});

Deno.test("storeKeyText() is 32 hex digits; layouts of other fingerprints differ", () => {
  const key = { route: { hi: 1, lo: 0xff }, layout: layoutHash("a/f16/64") };
  assert.match(storeKeyText(key), /^[0-9a-f]{16}00000001000000ff$/);
  assert.notDeepEqual(layoutHash("a/f16/64"), layoutHash("a/f16/32"));
});

Deno.test("store rows come back as they were sent, whole rows only", () => {
  const ops = Object.keys(storeOps) as StoreOp[];
  fc.assert(
    fc.property(fc.constantFrom(...ops), u32, fc.array(u32, { maxLength: 60 }), (op, arg, list) => {
      const { width } = storeOps[op];
      const words = Uint32Array.from(
        width === 0 ? [] : list.slice(0, list.length - list.length % width),
      );
      const bytes = encodeStoreRows({ op, arg, words });
      assert.deepEqual(decodeStoreRows(bytes), { ok: true, value: { op, arg, words } });
      assert.ok(!decodeStoreRows(bytes.subarray(0, bytes.length - 1)).ok);
    }),
  );
  assert.throws(
    () => encodeStoreRows({ op: "find", arg: 0, words: new Uint32Array(3) }),
    RangeError,
  );
  const most = new Uint32Array(storeOps.commit.width * mostStoreRows);
  assert.ok(decodeStoreRows(encodeStoreRows({ op: "commit", arg: 0, words: most })).ok);
});
