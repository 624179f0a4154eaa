import assert from "node:assert/strict";
import { parseProfile } from "./profile_text.ts";

Deno.test("parseProfile() reads coefficients; what is left out is 0", () => {
  const text = '{"version":1,"name":"cpu","about":"x","stepMs":2,"prefillTokenMs":0.5}';
  const profile = parseProfile(text, "p.json");
  assert.ok(profile.ok);
  assert.equal(profile.value.stepMs, 2);
  assert.equal(profile.value.prefillTokenMs, 0.5);
  assert.equal(profile.value.decodeMs, 0);
});

Deno.test("parseProfile() says in one sentence what is wrong", () => {
  const cases: [string, RegExp][] = [
    ["{", /p\.json: it is not JSON/],
    ["[]", /must be a JSON object/],
    ["null", /must be a JSON object/],
    ['{"version":2}', /"version" must be 1, got 2/],
    ['{"version":1,"prefilMs":1}', /"prefilMs" is none of .*; did you mean prefillMs\?/],
    ['{"version":1,"stepMs":-1}', /stepMs must be a number >= 0, got -1/],
    ['{"version":1,"stepMs":"1"}', /stepMs must be a number/],
    ['{"version":1,"stepMs":1e999}', /stepMs must be a number/],
  ];
  for (const [text, message] of cases) {
    const profile = parseProfile(text, "p.json");
    assert.ok(!profile.ok, text);
    assert.equal(profile.error.code, "invalid_request");
    assert.match(profile.error.message, message);
  }
});
