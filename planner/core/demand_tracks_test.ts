import assert from "node:assert/strict";
import { DemandTracks } from "./demand_tracks.ts";

const served = { requests: 10, prompts: 10_000, answers: 1_000 };

function taken(tracks: DemandTracks, at: { readonly rate: number; readonly newTokens: number }) {
  const { rate, newTokens } = at;
  tracks.take({
    mix: { rate, newTokens: 500, isl: 500, osl: 100 },
    ...{ promptRate: rate * newTokens, answerRate: rate * 100, waiting: 0 },
  }, { madeRate: rate * 100 });
}

Deno.test("DemandTracks keeps lengths of late where nobody asks, though answers are still being made", () => {
  const tracks = new DemandTracks({ steps: 2, season: 1_440 });
  tracks.take({
    mix: { rate: 0, newTokens: 500, isl: 500, osl: 100 },
    ...{ promptRate: 0, answerRate: 0, waiting: 0 },
  }, { madeRate: 800 });
  const { mix, now } = tracks.expected(served, false)!;
  assert.deepEqual([now.rate, now.newTokens, now.osl], [0, 500, 100]);
  assert.deepEqual([mix.rate, mix.newTokens, mix.osl], [0, 500, 100]);
});

Deno.test("DemandTracks sees longer prompts in one step, and no other mix in a bout of requests", () => {
  const noise = (at: number) => 1 + 0.4 * (((at * 0.618033988749895) % 1) - 0.5);
  const after = (last: { readonly rate: number; readonly newTokens: number }) => {
    const tracks = new DemandTracks({ steps: 2, season: 1_440 });
    for (let i = 0; i < 240; i++) {
      taken(tracks, { rate: 5 * noise(3 * i), newTokens: 500 * noise(i) });
      if (i % 12 === 11) tracks.endInterval();
    }
    taken(tracks, last);
    return tracks.expected(served, false)!.now.newTokens;
  };
  assert.equal(after({ rate: 5, newTokens: 1_000 }), 1_000);
  const bout = after({ rate: 15, newTokens: 500 });
  assert.ok(bout > 450 && bout < 550, `${bout} tokens per prompt`);
});

Deno.test("DemandTracks tells longer answers, and shorter ones, from what is made for each that ends, before batches have changed", () => {
  const noise = (at: number) => 1 + 0.2 * (((at * 0.618033988749895) % 1) - 0.5);
  const after = (doneRate: number) => {
    const tracks = new DemandTracks({ steps: 2, season: 1_440 });
    const step = (at: number, doneRate: number) =>
      tracks.take({
        mix: { rate: 10, newTokens: 500, isl: 500, osl: 100 },
        ...{ promptRate: 5_000, answerRate: 1_000, waiting: 0 },
      }, { madeRate: 1_000 * noise(at), doneRate: doneRate * noise(3 * at) });
    for (let i = 0; i < 240; i++) {
      step(i, 10);
      if (i % 12 === 11) tracks.endInterval();
    }
    for (let i = 0; i < 2; i++) step(i, doneRate);
    const { now, isTurning } = tracks.expected(served, false)!;
    return { osl: now.osl, isTurning };
  };
  const [same, longer, shorter] = [10, 5, 20].map(after);
  assert.ok(Math.abs(same.osl - 100) < 10 && !same.isTurning, JSON.stringify(same));
  assert.ok(longer.osl > 150 && longer.isTurning, JSON.stringify(longer));
  assert.ok(shorter.osl < 70 && shorter.isTurning, JSON.stringify(shorter));
});
