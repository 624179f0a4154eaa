import assert from "node:assert/strict";
import { weightNames } from "@pixii/wire";
import { stateOf } from "../testing/state_of.ts";
import { weightsWith } from "./request_weights.ts";

Deno.test("weightsWith() puts every weight that a request may set in its place, and changes nothing else", () => {
  const { weights: base } = stateOf(0);
  const before = structuredClone(base);
  for (const name of weightNames) {
    const changed = weightsWith(base, { [name]: 7.25 });
    const [policy, ...words] = name.split(/[.-]/);
    const field = words.map((word, i) => i === 0 ? word : word[0].toUpperCase() + word.slice(1));
    const group = base[policy as keyof typeof base];
    assert.deepEqual(changed, { ...base, [policy]: { ...group, [field.join("")]: 7.25 } }, name);
  }
  assert.deepEqual(base, before);
});

Deno.test("weightsWith() without weights is the same object, and passes over names nobody has", () => {
  const { weights: base } = stateOf(0);
  assert.equal(weightsWith(base, undefined), base);
  assert.deepEqual(weightsWith(base, { "kv.none": 1, none: 2, "a.b": 3 }), base);
});
