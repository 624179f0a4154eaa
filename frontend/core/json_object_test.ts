import assert from "node:assert/strict";
import fc from "fast-check";
import { mostNesting, readJsonObject } from "./json_object.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const read = (text: string) => readJsonObject(bytesOf(text));

Deno.test("readJsonObject() reads what JSON.parse reads, for every object", () => {
  fc.assert(fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), (object) => {
    const text = JSON.stringify(object);
    const result = read(text);
    const isWhole = !/\\ud[89a-f]/.test(text);
    assert.ok(result.ok || !isWhole);
    if (result.ok) assert.deepEqual(result.value, JSON.parse(text));
  }));
});

Deno.test("readJsonObject() refuses every text that is no JSON object, and throws at none", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const result = read(text);
    if (result.ok) assert.equal(typeof JSON.parse(text), "object");
    else assert.equal(result.error.code, "invalid_json");
  }));
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    const result = readJsonObject(bytes);
    if (!result.ok) assert.equal(result.error.code, "invalid_json");
  }));
});

Deno.test("readJsonObject() says what is wrong", () => {
  const cases: [body: string | Uint8Array, message: RegExp][] = [
    ["", /^The body is empty/],
    [" ", /not valid JSON/],
    ["null", /must be a JSON object/],
    ["[]", /must be a JSON object/],
    ['"a"', /must be a JSON object/],
    ["{", /not valid JSON/],
    ['{"a":NaN}', /not valid JSON/],
    ['{"a":1,}', /not valid JSON/],
    ["{'a':1}", /not valid JSON/],
    ['{"a":"\u0000"}', /not valid JSON/],
    ['{"a":1}{', /not valid JSON/],
    [new Uint8Array([0x7b, 0xff, 0x7d]), /not valid UTF-8/],
    [new Uint8Array([0xed, 0xa0, 0x80]), /not valid UTF-8/],
    ['{"a":"\\ud800"}', /half a surrogate pair/],
    ['{"a":[{"\\uDC00":1}]}', /half a surrogate pair/],
    ['{"a":1,"b":2,"a":3}', /'a' twice/],
    ['{"a":1,"\\u0061":3}', /'a' twice/],
    ['{"x":[{"k":{"a":1},"k":2}]}', /'k' twice/],
    ['{"a":'.repeat(mostNesting + 1), /deeper than 64/],
    ["[".repeat(8_000_000), /deeper than 64/],
  ];
  for (const [body, message] of cases) {
    const result = typeof body === "string" ? read(body) : readJsonObject(body);
    assert.ok(!result.ok, String(body).slice(0, 40));
    assert.match(result.error.message, message);
    assert.equal(result.error.code, "invalid_json");
  }
});

Deno.test("readJsonObject() takes what only looks wrong", () => {
  const good = [
    `{"a":${"[".repeat(mostNesting - 1)}${"]".repeat(mostNesting - 1)}}`,
    '{"a":"{\\"a\\":1,\\"a\\":2}","b":"\\\\","c":["a","a","a"]}',
    '{"a":"[[[[","b":{"a":1},"c":{"a":1}}',
    '{"a":"\\ud83d\\ude00"}',
    '{"__proto__":{"x":1}}',
    '\ufeff{"a":1}',
  ];
  for (const text of good) assert.ok(read(text).ok, text);
  const proto = read('{"__proto__":{"x":1}}');
  assert.ok(proto.ok);
  assert.equal((proto.value as { x?: number }).x, undefined);
  assert.deepEqual(Object.keys(proto.value), ["__proto__"]);
});
