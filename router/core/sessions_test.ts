import assert from "node:assert/strict";
import { modelHash } from "../testing/samples.ts";
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
