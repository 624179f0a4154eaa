import assert from "node:assert/strict";
import fc from "fast-check";
import { limits } from "./limits.ts";
import { MessageBundle, messagesOf } from "./message_bundle.ts";

Deno.test("a bundle gives back the messages that were put in, in order", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (messages) => {
    const bundle = new MessageBundle();
    assert.ok(bundle.add(messages));
    const bytes = bundle.bytes();
    assert.equal(bytes.byteLength, bundle.byteLength);
    const read = messagesOf(bytes);
    assert.ok(read.ok);
    assert.deepEqual(read.value.map((one) => [...one]), messages.map((one) => [...one]));
  }));
});

Deno.test("messagesOf() refuses what is cut, and never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    const read = messagesOf(bytes);
    if (read.ok) {
      assert.ok(read.value.reduce((sum, one) => sum + 4 + one.length, 0) === bytes.length);
    } else assert.equal(read.error.code, "decode_error");
  }));
  const bundle = new MessageBundle();
  bundle.add([new Uint8Array(10)]);
  assert.ok(!messagesOf(bundle.bytes().subarray(0, 13)).ok);
});

Deno.test("a bundle takes nothing that does not fit", () => {
  const bundle = new MessageBundle();
  const half = new Uint8Array(limits.assembledBytes / 2);
  assert.ok(bundle.add([half]));
  assert.ok(!bundle.add([half, half]));
  assert.equal(bundle.byteLength, half.length + 4);
});
