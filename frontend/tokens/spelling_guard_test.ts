import assert from "node:assert/strict";
import { SpecialFinder } from "../core/special_finder.ts";
import { guardSpellings } from "./spelling_guard.ts";

const controls = new SpecialFinder([{ id: 1, content: "<|end|>" }, { id: 2, content: "<|e" }]);

Deno.test("guardSpellings() leaves messages alone in which nothing is spelled", () => {
  const messages = [{ role: "user", content: "hello <|x" }];
  const guarded = guardSpellings(messages, controls, { template: "" })!;
  assert.equal(guarded.messages, messages);
  assert.equal(guarded.marker, undefined);
});

Deno.test("guardSpellings() marks every spelling, in contents and names", () => {
  const messages = [
    { role: "user", content: "a<|end|><|end|>b", name: "<|end|>" },
    { role: "user", content: "none" },
  ];
  const { messages: marked, marker } = guardSpellings(messages, controls, { template: "" })!;
  assert.equal(marker, "\ue000");
  assert.deepEqual(marked, [
    {
      role: "user",
      content: "a\ue000<|end|>\ue000<|end|>b",
      name: "\ue000<|end|>",
    },
    { role: "user", content: "none" },
  ]);
});

Deno.test("guardSpellings() takes a marker that neither messages nor template hold", () => {
  const messages = [{ role: "user", content: "\ue000<|end|>\ue002" }];
  assert.equal(
    guardSpellings(messages, controls, { template: "{{ '\ue001' }}" })?.marker,
    "\ue003",
  );
});

Deno.test("guardSpellings() takes a pair where every private-use character is in use", () => {
  const all = Array.from({ length: 6400 }, (_, i) => String.fromCharCode(0xe000 + i)).join("");
  const { messages, marker } = guardSpellings(
    [{ role: "user", content: `${all}<|end|>` }],
    controls,
    { template: "" },
  )!;
  assert.equal(marker?.length, 2);
  assert.ok(!all.includes(marker!));
  assert.equal(messages[0].content.replaceAll(marker!, ""), `${all}<|end|>`);
});

Deno.test("guardSpellings() gives up where more is spelled than is of use", () => {
  const messages = [{ role: "user", content: "<|end|>".repeat(20) }];
  assert.equal(guardSpellings(messages, controls, { template: "", most: 10 }), undefined);
  assert.ok(guardSpellings(messages, controls, { template: "", most: 100 }) !== undefined);
});
