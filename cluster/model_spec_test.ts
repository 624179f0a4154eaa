import assert from "node:assert/strict";
import fc from "fast-check";
import { modelBounds, parseModelSpec } from "./model_spec.ts";

Deno.test("parseModelSpec() reads a model with its own settings", () => {
  const spec = parseModelSpec("smollm2,workers=2,engine=llama,max-seqs=4,threads=2,ctx=512");
  assert.ok(spec.ok);
  assert.equal(spec.value.text, "smollm2");
  assert.deepEqual(spec.value.overrides, {
    workers: 2,
    engine: "llama",
    "max-seqs": 4,
    threads: 2,
    ctx: 512,
  });
});

Deno.test("parseModelSpec() says what is wrong in one sentence", () => {
  const message = (text: string) => {
    const spec = parseModelSpec(text);
    return spec.ok ? "" : spec.error.message;
  };
  assert.match(message("tiny,worker=2"), /did you mean workers\?/);
  assert.match(message("tiny,workers=0"), /workers must be a whole number from 1 to 64, got "0"/);
  assert.match(message("tiny,workers=2,workers=3"), /given twice/);
  assert.match(message("tiny,kv-type=q4"), /kv-type is one of f16, q8_0, got q4/);
  assert.match(message("tiny,engine=onnx"), /the engine onnx is not built yet/);
  assert.match(message("tiny,engine=x"), /one of llama, sim, onnx, openai/);
  assert.match(message("tiny,ctx=1,"), /"" is none of its keys/);
});

Deno.test("parseModelSpec() gives back what a text was made from", () => {
  const path = fc.string({ minLength: 1 }).map((tail) =>
    `/${tail.replaceAll(/,[a-z][a-z-]*=/g, "")}`
  )
    .filter((text) => text.search(/,[a-z][a-z-]*=/) < 0);
  const key = fc.constantFrom(...Object.keys(modelBounds) as (keyof typeof modelBounds)[]);
  const settings = fc.uniqueArray(
    fc.tuple(key, fc.integer({ min: 1, max: 64 })),
    { selector: ([name]) => name },
  );
  fc.assert(fc.property(path, settings, (text, pairs) => {
    const spec = parseModelSpec([text, ...pairs.map(([k, v]) => `${k}=${v}`)].join(","));
    assert.ok(spec.ok);
    assert.equal(spec.value.text, text);
    assert.deepEqual(spec.value.overrides, Object.fromEntries(pairs));
  }));
});

Deno.test("parseModelSpec() answers any text with a value or a sentence", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const spec = parseModelSpec(text);
    if (!spec.ok) assert.ok(spec.error.message.startsWith("Cannot use"), spec.error.message);
  }));
});
