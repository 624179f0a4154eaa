import assert from "node:assert/strict";
import { instanceOf, modelHash } from "../testing/samples.ts";
import { Sessions } from "./sessions.ts";

Deno.test("find() knows a session until it was unused for too long", () => {
  const sessions = new Sessions(1_000);
  sessions.put(modelHash, "s", { rank: "a", nowMs: 0 });
  assert.equal(sessions.find(modelHash, "s", 999), "a");
  assert.equal(sessions.find(modelHash, "t", 0), undefined);
  sessions.put(modelHash, "s", { rank: "b", nowMs: 900 });
  assert.equal(sessions.find(modelHash, "s", 1_800), "b");
  assert.equal(sessions.find(modelHash, "s", 1_900), undefined);
});

Deno.test("a time of 0 binds nothing", () => {
  const sessions = new Sessions(0);
  sessions.put(modelHash, "s", { rank: "a", nowMs: 0 });
  assert.deepEqual([sessions.find(modelHash, "s", 0), sessions.size], [undefined, 0]);
});

Deno.test("put() takes the session's own time, and 0 ends it", () => {
  const sessions = new Sessions(1_000);
  sessions.put(modelHash, "s", { rank: "a", nowMs: 0, ttlMs: 50 });
  assert.deepEqual([49, 50].map((ms) => sessions.find(modelHash, "s", ms)), ["a", undefined]);
  sessions.put(modelHash, "t", { rank: "a", nowMs: 0, ttlMs: 9_000 });
  assert.equal(sessions.find(modelHash, "t", 8_999), "a");
  sessions.put(modelHash, "t", { rank: "a", nowMs: 9_000, ttlMs: 0 });
  assert.deepEqual([sessions.find(modelHash, "t", 9_000), sessions.size], [undefined, 1]);
  const off = new Sessions(0);
  off.put(modelHash, "s", { rank: "a", nowMs: 0, ttlMs: 10 });
  assert.equal(off.find(modelHash, "s", 9), "a");
});

Deno.test("entries() tell a sibling what is left, and what the sibling knows already is newer", () => {
  const [here, there] = [new Sessions(100), new Sessions(100)];
  const rank = (number: number) => `${instanceOf(number)}.0`;
  here.put(modelHash, "a.b", { rank: rank(1), nowMs: 0 });
  here.put(modelHash, "c", { rank: rank(1), nowMs: 50 });
  here.put(modelHash, "over", { rank: rank(1), nowMs: -500 });
  there.put(modelHash, "c", { rank: rank(2), nowMs: 1_000 });
  const told = [...here.entries(60)];
  assert.deepEqual(told.map(({ session, leftMs }) => [session, leftMs]), [["a.b", 40], ["c", 90]]);
  for (const one of told) there.told(one, 1_000);
  assert.equal(there.find(modelHash, "a.b", 1_039), rank(1));
  assert.equal(there.find(modelHash, "a.b", 1_040), undefined);
  assert.equal(there.find(modelHash, "c", 1_000), rank(2));
});
