import assert from "node:assert/strict";
import { missingRoles } from "./missing_roles.ts";

Deno.test("missingRoles() fills what the counts lack, then goes on with the role to start", () => {
  const roles = { prefill: 2, decode: 2, both: 0 };
  const record = { roles, startRole: "decode" as const };
  assert.deepEqual(missingRoles(record, { there: ["prefill", "decode"], count: 2 }), [
    "prefill",
    "decode",
  ]);
  assert.deepEqual(missingRoles(record, { there: ["decode", "decode", "decode"], count: 3 }), [
    "prefill",
    "prefill",
    "decode",
  ]);
  assert.deepEqual(missingRoles(record, { there: [], count: 1 }), ["prefill"]);
  assert.deepEqual(missingRoles({ startRole: "both" }, { there: ["both"], count: 2 }), [
    "both",
    "both",
  ]);
  assert.deepEqual(missingRoles(record, { there: [], count: 0 }), []);
});
