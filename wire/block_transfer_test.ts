import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { decodeTransfer, encodeTransfer, mostTransferBytes } from "./block_transfer.ts";
import {
  decodeTransferHello,
  decodeTransferWelcome,
  encodeTransferHello,
  encodeTransferWelcome,
} from "./block_transfer_hello.ts";
import { sampleTransfers } from "./block_transfer_testing.ts";

Deno.test("decodeTransfer() gives back every message, and refuses it with any bit flipped or byte missing", () => {
  for (const [op, bytes] of sampleTransfers(crc32)) {
    const decoded = decodeTransfer(bytes, crc32);
    assert.ok(decoded.ok && decoded.value.op === op, op);
    assert.deepEqual(encodeTransfer(decoded.value, crc32), bytes);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at] ^= 1 << (at % 8);
      assert.equal(decodeTransfer(damaged, crc32).ok, false, `${op}, byte ${at}`);
      assert.equal(decodeTransfer(bytes.subarray(0, at), crc32).ok, false, `${op} of ${at} bytes`);
    }
  }
  const long = { op: "refuse", id: 0, body: new Uint8Array(mostTransferBytes + 1) } as const;
  assert.throws(() => encodeTransfer(long, crc32), RangeError);
});

Deno.test("greetings come back whole; another version is refused by name whatever follows it", () => {
  const samples = sampleTransfers(crc32);
  const bodyOf = (op: "hello" | "welcome") => samples.get(op)!.subarray(16);
  const hello = decodeTransferHello(bodyOf("hello"));
  assert.ok(hello.ok && hello.value.namespace === "default");
  assert.deepEqual(encodeTransferHello(hello.value), bodyOf("hello"));
  const welcome = decodeTransferWelcome(bodyOf("welcome"));
  assert.ok(welcome.ok && welcome.value.kvbm === hello.value.kvbm);
  assert.deepEqual(encodeTransferWelcome(welcome.value), bodyOf("welcome"));
  const later = decodeTransferHello(Uint8Array.of(9, 0, 1, 2, 3));
  assert.ok(!later.ok && /speak version 9 .* this program 1;/.test(later.error.message));
  for (const length of [0, 1, 20, bodyOf("hello").length - 1]) {
    assert.equal(decodeTransferHello(bodyOf("hello").subarray(0, length)).ok, false);
  }
  assert.equal(decodeTransferWelcome(bodyOf("welcome").subarray(1)).ok, false);
});
