import assert from "node:assert/strict";
import type { LoadReport, StreamKey } from "@pixii/wire";
import { instanceOf, reportOf, requestOf } from "../testing/samples.ts";
import { bookingOf } from "./booking.ts";
import type { Booking } from "./booking.ts";
import { RankLoad } from "./rank_load.ts";

const keyOf = (number: number): StreamKey => ({ requestId: requestOf(number), attempt: 0, leg: 0 });

function bookingAt(number: number, nowMs: number): Booking {
  const worker = { instance: instanceOf(1), dpRank: 0 };
  const claim = { worker, frontend: instanceOf(0xf1), prefillTokens: 10, blocks: 2 };
  return bookingOf(keyOf(number), claim, { nowMs, isConfirmed: true });
}

/** A report of a worker that runs exactly these streams. */
function reportFor(streams: readonly Booking[], more: Partial<LoadReport> = {}): LoadReport {
  let [hi, lo] = [0, 0];
  for (const { hashHi, hashLo } of streams) [hi, lo] = [(hi ^ hashHi) >>> 0, (lo ^ hashLo) >>> 0];
  return reportOf(1, {
    ...{ activeStreams: streams.length, activeDigestHi: hi, activeDigestLo: lo },
    ...{ running: streams.length, activeBlocks: 10 * streams.length },
    ...more,
  });
}

/** Reports every 250 ms until something is dropped, for at most 10 s. */
function until(load: RankLoad, report: LoadReport, startMs: number) {
  for (let nowMs = startMs; nowMs < startMs + 10_000; nowMs += 250) {
    const lost = load.reported(report, nowMs);
    if (lost.length > 0) return { lost, tookMs: nowMs - startMs };
  }
  return undefined;
}

Deno.test("reports that agree change nothing", () => {
  const load = new RankLoad();
  const streams = [1, 2, 3].map((number) => bookingAt(number, 0));
  for (const one of streams) load.add(one);
  assert.equal(until(load, reportFor(streams), 5_000), undefined);
  assert.deepEqual([load.requests, load.prefillTokens, load.blocks], [3, 30, 6]);
  load.checkIntegrity();
});

Deno.test("the one booking whose absence explains the digest is the one that is lost", () => {
  const load = new RankLoad();
  const streams = [1, 2, 3].map((number) => bookingAt(number, 0));
  for (const one of streams) load.add(one);
  const found = until(load, reportFor([streams[0], streams[2]]), 5_000);
  assert.deepEqual(found?.lost, [streams[1]]);
  assert.ok(found.tookMs >= 2_000 && found.tookMs <= 2_500, `${found.tookMs} ms`);
});

Deno.test("of several lost bookings as many go as are too many, the oldest first", () => {
  const load = new RankLoad();
  const streams = [1, 2, 3, 4].map((number) => bookingAt(number, number));
  for (const one of streams) load.add(one);
  const found = until(load, reportFor([streams[3]]), 5_000);
  assert.deepEqual(found?.lost, streams.slice(0, 3));
});

Deno.test("young bookings are not lost, they are on their way", () => {
  const load = new RankLoad();
  load.add(bookingAt(1, 4_000));
  const empty = reportFor([]);
  for (let nowMs = 4_000; nowMs < 6_000; nowMs += 100) {
    assert.deepEqual(load.reported(empty, nowMs), []);
  }
});

Deno.test("a doubt that passes is forgotten", () => {
  const load = new RankLoad();
  const one = bookingAt(1, 0);
  load.add(one);
  for (let i = 0; i < 40; i++) {
    const streams = i % 5 === 4 ? [one] : [];
    assert.deepEqual(load.reported(reportFor(streams), 5_000 + 250 * i), []);
  }
});

Deno.test("load that nobody booked counts at once in a first report, later when three tell of it", () => {
  const load = new RankLoad();
  const strangers = [8, 9].map((number) => bookingAt(number, 0));
  load.reported(reportFor(strangers, { waiting: 1, prefillTokens: 100 }), 0);
  assert.deepEqual([load.requests, load.prefillTokens, load.blocks], [3, 100, 20]);
  load.reported(reportFor([]), 250);
  assert.deepEqual([load.requests, load.prefillTokens, load.blocks], [0, 0, 0]);
  load.reported(reportFor(strangers), 500);
  load.reported(reportFor(strangers), 750);
  assert.equal(load.requests, 0);
  load.reported(reportFor(strangers), 1_000);
  assert.deepEqual([load.requests, load.blocks], [2, 20]);
});

Deno.test("of what a report tells only what goes beyond the bookings is added", () => {
  const load = new RankLoad();
  const own = bookingAt(1, 0);
  load.add(own);
  load.reported(reportFor([own, bookingAt(2, 0)], { prefillTokens: 25 }), 100);
  assert.deepEqual([load.bookings, load.requests], [1, 2]);
  assert.deepEqual([load.prefillTokens, load.blocks], [25, 12]);
});
