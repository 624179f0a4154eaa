import assert from "node:assert/strict";
import { flatProfile } from "./sim/profile_testing.ts";
import { openSims } from "./sim/open_testing.ts";
import { parseProfile, profileForCard, readProfile } from "./profile_file.ts";

Deno.test("parseProfile() reads what a profile's runner writes", () => {
  const text = JSON.stringify(flatProfile({ prefillMs: 5, decodeMs: 2 }), null, 2);
  const profile = parseProfile(text, "p.json");
  assert.ok(profile.ok);
  assert.deepEqual(profile.value.decode.ms, [[2]]);
});

Deno.test("parseProfile() says in one sentence what is wrong, and where", () => {
  const good = flatProfile({ prefillMs: 5, decodeMs: 2 });
  const cases: [string, RegExp][] = [
    ["{", /p\.json: it is not JSON/],
    ["[]", /p\.json: .*expected object/],
    [JSON.stringify({ ...good, version: 2 }), /p\.json: version: .*expected 1/],
    [JSON.stringify({ ...good, prefil: 1 }), /[Uu]nrecognized key.*prefil/],
    [JSON.stringify({ ...good, onboardBlockMs: { host: -1 } }), /onboardBlockMs\.host: /],
    [JSON.stringify({ ...good, decode: { ...good.decode, ms: [] } }), /decode\.ms: /],
  ];
  for (const [text, message] of cases) {
    const profile = parseProfile(text, "p.json");
    assert.ok(!profile.ok, text);
    assert.equal(profile.error.code, "invalid_request");
    assert.match(profile.error.message, message);
  }
});

Deno.test("readProfile() of no file says which", async () => {
  const profile = await readProfile("/nowhere/p.json");
  assert.ok(!profile.ok);
  assert.equal(profile.error.code, "not_found");
  assert.match(profile.error.message, /Cannot read the profile \/nowhere\/p\.json/);
});

Deno.test("profileForCard() takes the file's, else the engine's, and refuses one of other weights", async () => {
  const path = await Deno.makeTempFile();
  const profile = flatProfile({ prefillMs: 5, decodeMs: 2 });
  await Deno.writeTextFile(path, JSON.stringify(profile));
  const [sim] = await openSims();
  const card = sim.card();
  assert.deepEqual(await profileForCard("", card), { ok: true, value: undefined });
  assert.deepEqual(await profileForCard(path, card), { ok: true, value: profile });
  const llama = { ...card, engine: "llama" as const, modelDigest: "ab" };
  assert.deepEqual(await profileForCard(path, llama), { ok: true, value: profile });
  const other = await profileForCard(path, { ...llama, modelDigest: "cd" });
  assert.ok(!other.ok);
  assert.match(other.error.message, /digest ab, the worker's weights have cd/);
  await Deno.remove(path);
  await sim[Symbol.asyncDispose]();
});
