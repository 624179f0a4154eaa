import assert from "node:assert/strict";
import { fidelityLoad, tokensOfRequest } from "./fidelity_load.ts";

const shape = {
  ...{
    requests: 200,
    perSecond: 2,
    leastPrompt: 10,
    mostPrompt: 20,
    leastOutput: 1,
    mostOutput: 9,
  },
  sharedTokens: 64,
};

Deno.test("fidelityLoad() is the same for a seed, at its rate, within its bounds", () => {
  const load = fidelityLoad(shape, 3);
  assert.deepEqual(fidelityLoad(shape, 3), load);
  const seconds = load.at(-1)!.atMs / 1000;
  assert.ok(seconds > 75 && seconds < 130, `${seconds} s for 200 requests at 2 a second`);
  for (const one of load) {
    assert.ok(one.promptTokens >= 10 && one.promptTokens <= 20);
    assert.ok(one.outputTokens >= 1 && one.outputTokens <= 9);
  }
});

Deno.test("tokensOfRequest() shares its begin within a salt only", () => {
  const [first, second] = fidelityLoad(shape, 1);
  const tokens = tokensOfRequest(shape, { ...first, index: 0, salt: 5 });
  const other = tokensOfRequest(shape, { ...second, index: 1, salt: 5 });
  const salted = tokensOfRequest(shape, { ...first, index: 0, salt: 6 });
  assert.equal(tokens.length, 64 + first.promptTokens);
  assert.deepEqual(tokens.subarray(0, 64), other.subarray(0, 64));
  assert.notDeepEqual(tokens.subarray(64, 74), other.subarray(64, 74));
  assert.notDeepEqual(tokens.subarray(0, 64), salted.subarray(0, 64));
});
