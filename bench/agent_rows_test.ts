import assert from "node:assert/strict";
import { agentRows, rowsOf } from "./agent_rows.ts";

Deno.test("rowsOf() takes each row once, in the order of the list, and names what is none", () => {
  const known = agentRows(4);
  const rows = rowsOf("ttft,kv,ttft", known);
  assert.ok(typeof rows !== "string");
  assert.deepEqual(rows.map((row) => row.name), ["ttft", "kv"]);
  assert.deepEqual(rows[1].flags, ["--router.kv-prefill-scale", "4"]);
  assert.equal(rowsOf("kv,nearest", known), "nearest");
  assert.equal(rowsOf("", known), "");
});
