import assert from "node:assert/strict";
import { VirtualClock } from "@pixii/runtime";
import { DueList } from "./due_list.ts";

Deno.test("a due list calls each once, in order, at its time, with one timer for all", async () => {
  const clock = new VirtualClock();
  using list = new DueList(clock, 100);
  const seen: string[] = [];
  const add = (name: string) => list.add(() => seen.push(`${name}@${clock.nowMs()}`));
  add("a");
  await clock.advance(30);
  const b = add("b");
  add("c");
  assert.deepEqual([clock.waiting, list.size], [1, 3]);
  b[Symbol.dispose]();
  await clock.advance(80);
  add("d");
  assert.deepEqual(seen, ["a@100"]);
  await clock.advance(200);
  assert.deepEqual(seen, ["a@100", "c@130", "d@210"]);
  assert.deepEqual([clock.waiting, list.size], [0, 0]);
});

Deno.test("a due list whose members are dropped has nothing left after its time", async () => {
  const clock = new VirtualClock();
  using list = new DueList(clock, 100);
  for (let i = 0; i < 1000; i++) list.add(() => assert.fail("dropped"))[Symbol.dispose]();
  assert.deepEqual([clock.waiting, list.size], [1, 0]);
  await clock.advance(100);
  assert.equal(clock.waiting, 0);
  const late = list.add(() => assert.fail("disposed"));
  list[Symbol.dispose]();
  late[Symbol.dispose]();
  await clock.advance(200);
  assert.equal(clock.waiting, 0);
});
