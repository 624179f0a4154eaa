import assert from "node:assert/strict";
import type { InstanceId } from "@pixii/wire";
import { answered, countsOf, movesTo } from "./moves.ts";
import type { SeenWorker } from "./observation.ts";

/** Ranks 0 and 1 of worker `number`; the first one is the busier, so that other workers' first ranks come before it. */
function twoRanks(number: number, role: SeenWorker["role"]): SeenWorker[] {
  const instance = `${number}`.padStart(16, "0") as InstanceId;
  return [0, 1].map((dpRank) => ({
    ...{ rank: { instance, dpRank }, role, state: "live", running: dpRank, waiting: 0 },
    ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 64 },
  }));
}

const limits = { mayFlip: true, mayStart: true, mayStop: true };
const options = { model: "m", reason: "a test", limits };

Deno.test("movesTo() moves a worker with all its ranks", () => {
  const workers = [1, 2, 3].flatMap((number) => twoRanks(number, "decode"));
  assert.deepEqual(countsOf(workers), { prefill: 0, decode: 6, both: 0 });
  const moves = movesTo({ prefill: 2, decode: 4, both: 0 }, workers, options);
  const moved = moves.map((move) => move.kind === "flip" ? move.rank : undefined);
  assert.deepEqual(moved, workers.slice(0, 2).map(({ rank }) => rank));
  const stops = movesTo({ prefill: 0, decode: 2, both: 0 }, workers, options);
  assert.deepEqual(stops.map((move) => move.kind), ["stop", "stop", "stop", "stop"]);
  const gone = new Set(stops.map((move) => move.kind === "stop" ? move.rank.instance : ""));
  assert.equal(gone.size, 2, "two workers whole, and not four halves");
});

Deno.test("movesTo() lets a worker be where a part of its ranks would have to go", () => {
  const workers = [1, 2].flatMap((number) => twoRanks(number, "decode"));
  const flipsOnly = { ...options, limits: { ...limits, mayStart: false, mayStop: false } };
  assert.deepEqual(movesTo({ prefill: 1, decode: 3, both: 0 }, workers, flipsOnly), []);
  assert.deepEqual(movesTo({ prefill: 0, decode: 3, both: 0 }, workers, options), []);
});

Deno.test("movesTo() leaves the last worker that answers until another one does", () => {
  const prefills = [1, 2].flatMap((number) => twoRanks(number, "prefill"));
  const workers = [...prefills, ...twoRanks(3, "decode")];
  const want = { prefill: 6, decode: 0, both: 2 };
  const toPrefill = (seen: readonly SeenWorker[]) =>
    movesTo(want, seen, options).filter((move) => move.kind === "flip" && move.to === "prefill");
  assert.deepEqual(toPrefill(workers), [], "nobody else answers");
  const started = twoRanks(4, "both");
  const starting = started.map((one) => ({ ...one, state: "starting" as const }));
  assert.deepEqual(toPrefill([...workers, ...starting]), [], "nor yet");
  assert.equal(toPrefill([...workers, ...started]).length, 2);
  assert.deepEqual(
    movesTo({ prefill: 0, decode: 0, both: 0 }, twoRanks(3, "decode"), options).length,
    2,
    "a model that sleeps has nobody",
  );
});

Deno.test("answered() wants one whole worker that answers, and leaves alone what is served or asleep", () => {
  const prefills = [1, 2].flatMap((number) => twoRanks(number, "prefill"));
  assert.deepEqual(answered({ prefill: 4, decode: 0, both: 0 }, prefills), {
    ...{ prefill: 2, decode: 2, both: 0 },
  });
  const served = { prefill: 4, decode: 2, both: 0 };
  assert.equal(answered(served, [...prefills, ...twoRanks(3, "decode")]), served);
  const coming = { prefill: 2, decode: 0, both: 2 };
  assert.equal(answered(coming, prefills), coming);
  const asleep = { prefill: 0, decode: 0, both: 0 };
  assert.equal(answered(asleep, prefills), asleep);
});
