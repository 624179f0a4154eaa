import assert from "node:assert/strict";
import { hintRules } from "./hint_rules.ts";

Deno.test("docs/queue.md names every header and every field of a hint", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/queue.md", import.meta.url));
  for (const { headers, fields } of hintRules) {
    for (const name of [...headers, ...fields]) assert.ok(text.includes(`\`${name}\``), name);
  }
});

Deno.test("no two hints share a name", () => {
  const names = hintRules.flatMap(({ headers, fields }) => [...headers, ...fields]);
  assert.equal(new Set(names).size, names.length);
});
