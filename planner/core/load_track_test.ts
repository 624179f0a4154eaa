import assert from "node:assert/strict";
import { Calibration } from "./calibration.ts";
import { LoadTrack } from "./load_track.ts";

/** Numbers around 1 that look random and are the same every time (Weyl's sequence), one step apart. */
function noise(at: number): number {
  return 1 + 0.4 * (((at * 0.618033988749895) % 1) - 0.5);
}

function track(values: readonly number[], perInterval = 12): LoadTrack {
  const made = new LoadTrack({ steps: 2, season: 1_440 });
  values.forEach((value, i) => {
    made.take(value);
    if (i % perInterval === perInterval - 1) made.endInterval();
  });
  return made;
}

const calm = Array.from({ length: 240 }, (_, i) => 100 * noise(i));

Deno.test("LoadTrack tells a doubled load from chance within a few steps, and chance from nothing", () => {
  const steady = track(calm);
  assert.ok(Math.abs(steady.level! - 100) < 5, `${steady.level}`);
  assert.equal(steady.surely(110), undefined);
  assert.equal(steady.now({ wait: false }), steady.level);
  const steps = [1, 2, 3].map((count) => {
    const risen = track([...calm, ...Array.from({ length: count }, (_, i) => 200 * noise(i))]);
    return [risen.surely(110) !== undefined, risen.now({ wait: false })! > 1.5 * risen.level!];
  });
  assert.deepEqual(steps.at(-1), [true, true], JSON.stringify(steps));
});

Deno.test("LoadTrack.now() falls with the load; surely() only ever rises above what is served", () => {
  const fallen = track([...calm, ...Array.from({ length: 4 }, (_, i) => 40 * noise(i))]);
  assert.ok(fallen.now({ wait: false })! < 70, `${fallen.now({ wait: false })}`);
  assert.equal(fallen.surely(110), undefined);
});

Deno.test("LoadTrack asks for less room the more of its forecasts were judged", () => {
  const rooms = [0, 24, 240].map((count) => track(calm.slice(0, count)).firstRoom);
  assert.ok(rooms[0] === 0.15 && rooms[0] >= rooms[1] && rooms[1] > rooms[2], rooms.join());
});

Deno.test("Calibration gives room for late requests, takes it back slowly, and keeps its bounds", () => {
  const one = new Calibration();
  one.take(0.3);
  const more = one.room;
  assert.ok(more > 0);
  for (let i = 0; i < 20; i++) one.take(0);
  assert.ok(one.room < more && one.room > 0.5 * more);
  for (const lie of [NaN, -1, 2, Infinity, undefined]) {
    const before = one.room;
    one.take(lie);
    assert.equal(one.room, before);
  }
  for (let i = 0; i < 10_000; i++) one.take(1);
  assert.equal(one.room, 0.3);
  for (let i = 0; i < 100_000; i++) one.take(0);
  assert.equal(one.room, -0.25);
});

Deno.test("Calibration settles where the aimed share is late", () => {
  const one = new Calibration();
  let late = 0;
  const steps = 40_000;
  for (let i = 0; i < steps; i++) {
    // Late where the room is too small for a load that comes and goes.
    const share = noise(i) > 1.1 + one.room ? 0.1 : 0;
    if (i >= steps / 2) late += share;
    one.take(share);
  }
  assert.ok(Math.abs(late / (steps / 2) - 0.003) < 0.0005, `${late / (steps / 2)}`);
});

Deno.test("LoadTrack.surely() believes one bout only as far as chance cannot have made it, and a rise that lasts in full", () => {
  const last = (values: readonly number[]) => track([...calm, ...values]).surely(110)!;
  const bout = last([500]);
  assert.ok(bout.level > 110 && bout.level < 250, `${bout.level}`);
  const lasting = last([300, 300, 300, 300]);
  assert.equal(lasting.level, 300);
  assert.ok(lasting.floor > 110 && lasting.floor < 300, `${lasting.floor}`);
});
