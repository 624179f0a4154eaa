import assert from "node:assert/strict";
import { EventLog } from "./event_log.ts";

Deno.test("EventLog.take() gives events that stay true while the next step is planned", () => {
  const log = new EventLog();
  log.stored(1, 0, { hi: 10, lo: 11 });
  log.stored(2, 1, { hi: 20, lo: 21 });
  log.removed(7);
  const copy = (events: ReturnType<EventLog["take"]>) => structuredClone([...events]);
  const first = log.take();
  const told = copy(first);
  log.removed(5);
  log.stored(5, 2, { hi: 50, lo: 51 });
  assert.deepEqual(copy(first), told);
  const second = copy(log.take());
  assert.deepEqual(second.map(({ op }) => op), ["removed", "stored"]);
  assert.deepEqual(copy(log.take()), []);
});

Deno.test("EventLog keeps steps of any length apart", () => {
  const log = new EventLog();
  for (const count of [3000, 10, 5000]) {
    for (let number = 1; number <= count; number++) {
      log.stored(number, 0, { hi: count, lo: number });
    }
    const events = log.take();
    assert.equal(events.length, count);
    const ok = events.every((one, i) => one.op === "stored" && one.numbers[0] === i + 1);
    assert.ok(ok);
  }
});
