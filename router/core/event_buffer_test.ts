import assert from "node:assert/strict";
import { batchOf, hashesOf, storedOf } from "../testing/samples.ts";
import { EventBuffer } from "./event_buffer.ts";

Deno.test("add() keeps a number once, and lets the oldest go over its bounds", () => {
  const buffer = new EventBuffer();
  assert.equal(buffer.add(batchOf(1, { number: 5, events: [] })), true);
  assert.equal(buffer.add(batchOf(1, { number: 5, events: [] })), false);
  for (let number = 6; number < 6 + 1_024; number++) buffer.add(batchOf(1, { number, events: [] }));
  assert.equal(buffer.size, 1_024);
  assert.equal(buffer.take(5), undefined);
  buffer.dropUpTo(1_000);
  assert.equal(buffer.size, 29);
  buffer.clear();
  assert.equal(buffer.size, 0);
});

Deno.test("add() bounds the blocks that wait", () => {
  const buffer = new EventBuffer();
  const events = [storedOf(hashesOf(1, 100_000), 1)];
  for (let number = 1; number <= 5; number++) buffer.add(batchOf(1, { number, events }));
  assert.equal(buffer.size, 2);
  assert.equal(buffer.take(5)?.number, 5);
});
