import assert from "node:assert/strict";
import { promptTokens } from "./prompt_tokens.ts";

Deno.test("promptTokens() repeats a run for its salt, and stays in the vocabulary", () => {
  const first = promptTokens(50, [{ count: 64, salt: 1 }]);
  const longer = promptTokens(50, [{ count: 64, salt: 1 }, { count: 3, salt: 2 }]);
  assert.deepEqual(longer.subarray(0, 64), first);
  assert.notDeepEqual(promptTokens(50, [{ count: 64, salt: 3 }]), first);
  assert.ok(first.every((token) => token < 50));
});
