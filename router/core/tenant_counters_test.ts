import assert from "node:assert/strict";
import { TenantCounters } from "./tenant_counters.ts";

Deno.test("charge() adds up, and a tenant nobody served has nothing", () => {
  const counters = new TenantCounters();
  counters.charge("a", 10);
  counters.charge("a", 2.5);
  assert.deepEqual([counters.of("a"), counters.of("b")], [12.5, 0]);
});

Deno.test("joined() lifts a tenant to the least of those that wait, and never lowers it", () => {
  const counters = new TenantCounters();
  counters.charge("a", 100);
  counters.charge("b", 70);
  counters.charge("rich", 500);
  counters.joined("idle", ["a", "b"]);
  counters.joined("rich", ["a", "b"]);
  assert.deepEqual([counters.of("idle"), counters.of("rich")], [70, 500]);
});

Deno.test("joined() of an empty queue lifts to the tenant that left last", () => {
  const counters = new TenantCounters();
  counters.charge("a", 100);
  counters.left("a");
  counters.joined("b", []);
  assert.equal(counters.of("b"), 100);
});
