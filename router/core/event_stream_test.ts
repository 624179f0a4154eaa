import assert from "node:assert/strict";
import fc from "fast-check";
import type { KvEvent, KvEventBatch } from "@pixii/wire";
import { batchOf, hashesOf, instanceOf, modelHash, storedOf } from "../testing/samples.ts";
import type { EventSource } from "./event_source.ts";
import { EventStream } from "./event_stream.ts";
import { MapIndex } from "../testing/map_index.ts";
import { streamLimits } from "./stream_limits.ts";

const source: EventSource = {
  ...{ owner: instanceOf(1), model: modelHash, dpRank: 0, tier: "device", blockSize: 16 },
};

function streamOf(capacityBlocks = 1_000) {
  const index = new MapIndex(capacityBlocks);
  const slot = index.open();
  const stream = new EventStream(source, index, slot);
  const prefix = (seed: number) => index.longestPrefix(slot, hashesOf(seed, 8));
  return { stream, index, prefix };
}

/** Batch `number` stores `blocks` blocks of prompt `number`, numbered from 100 * number. */
function batch(number: number, more: Partial<KvEventBatch> & { blocks?: number } = {}) {
  const { blocks = 2, ...rest } = more;
  return batchOf(1, {
    ...{ number, events: [storedOf(hashesOf(number, blocks), 100 * number)] },
    ...rest,
  });
}

/** A snapshot as of batch `number`: what batches 1 to `number` stored. */
function snapshot(number: number, more: Partial<KvEventBatch> = {}) {
  const events: KvEvent[] = [];
  for (let i = 1; i <= number; i++) events.push(storedOf(hashesOf(i, 2), 100 * i));
  return batchOf(1, { number, events, ...more });
}

Deno.test("receive() applies batches in order and passes over what it knows", () => {
  const { stream, prefix } = streamOf();
  assert.deepEqual(stream.receive(batch(1), 0), { result: "applied", fell: undefined });
  assert.equal(stream.receive(batch(1), 0).result, "duplicate");
  stream.receive(batch(2), 0);
  assert.deepEqual([stream.state, stream.number, prefix(1), prefix(2)], ["exact", 2, 2, 2]);
});

Deno.test("a gap keeps the old blocks, waits for a snapshot, and drains what came meanwhile", () => {
  const { stream, prefix } = streamOf();
  stream.receive(batch(1), 0);
  assert.deepEqual(stream.receive(batch(3), 0), { result: "buffered", fell: "gap" });
  assert.equal(stream.receive(batch(5), 0).result, "buffered");
  assert.deepEqual([stream.state, stream.buffered, prefix(1), prefix(3)], ["behind", 2, 2, 0]);
  assert.equal(stream.isDue(0), true);
  stream.fetchBegan();
  assert.equal(stream.isDue(0), false);
  assert.equal(stream.swap(snapshot(4), 10), "swapped");
  assert.deepEqual([stream.state, stream.number, stream.buffered], ["exact", 5, 0]);
  assert.deepEqual([1, 2, 3, 4, 5].map(prefix), [2, 2, 2, 2, 2]);
});

Deno.test("a gap that closes by itself needs no snapshot, and one that comes then is needless", () => {
  const { stream } = streamOf();
  stream.receive(batch(1), 0);
  stream.receive(batch(3), 0);
  stream.fetchBegan();
  assert.equal(stream.receive(batch(2), 0).result, "applied");
  assert.deepEqual([stream.state, stream.number], ["exact", 3]);
  assert.equal(stream.swap(snapshot(2), 5), "needless");
  assert.deepEqual([stream.state, stream.number, stream.blocks], ["exact", 3, 6]);
});

Deno.test("a stream that is joined late asks for a snapshot, by batch or by report", () => {
  const { stream } = streamOf();
  assert.equal(stream.receive(batch(7), 0).fell, "late-join");
  const other = streamOf().stream;
  assert.equal(other.reported(0, 0), undefined);
  assert.equal(other.state, "exact");
  const third = streamOf().stream;
  assert.equal(third.reported(4, 0), "late-join");
  assert.equal(third.swap(snapshot(4), 10), "swapped");
  assert.equal(third.state, "exact");
});

Deno.test("a report that stays ahead means that the last batch was lost", () => {
  const { stream } = streamOf();
  stream.receive(batch(1), 0);
  assert.equal(stream.reported(2, 10), undefined);
  assert.equal(stream.tick(60), undefined);
  assert.equal(stream.isAhead, true);
  assert.equal(stream.tick(10 + streamLimits.lostLastMs), "lost-last");
  assert.equal(stream.isDue(200), true);
  stream.swap(snapshot(2), 200);
  assert.deepEqual([stream.state, stream.number], ["exact", 2]);
});

Deno.test("told() begins an epoch as a batch does, and passes over a former one's word and other blocks", () => {
  const { stream } = streamOf();
  const [epoch, blockSize] = [source.owner, source.blockSize];
  stream.receive(batch(1), 0);
  assert.equal(stream.told({ epoch, blockSize, number: 1 }, 10), undefined);
  assert.equal(stream.told({ epoch, blockSize: 32, number: 9 }, 10), undefined);
  assert.deepEqual([stream.isAhead, stream.heard, stream.state], [false, 1, "exact"]);
  stream.told({ epoch, blockSize, number: 2 }, 20);
  assert.equal(stream.tick(20 + streamLimits.lostLastMs), "lost-last");
  stream.swap(snapshot(2), 200);
  const anew = instanceOf(9);
  stream.told({ epoch: anew, blockSize, number: 1 }, 300);
  assert.deepEqual([stream.epoch, stream.blocks, stream.number], [anew, 0, 0]);
  stream.told({ epoch, blockSize, number: 7 }, 310);
  assert.deepEqual([stream.epoch, stream.heard], [anew, 1]);
  assert.equal(stream.tick(300 + streamLimits.lostLastMs), "lost-last");
  assert.equal(streamOf().stream.told({ epoch, blockSize, number: 4 }, 0), "late-join");
});

Deno.test("a report that is ahead for a moment is made good by the batch", () => {
  const { stream } = streamOf();
  stream.receive(batch(1), 0);
  stream.reported(2, 10);
  stream.receive(batch(2), 20);
  assert.equal(stream.tick(500), undefined);
  assert.equal(stream.state, "exact");
  assert.equal(stream.isAhead, false);
});

Deno.test("a new epoch starts with no blocks, and batches of a former one are passed over", () => {
  const { stream, prefix } = streamOf();
  const epoch = instanceOf(9);
  stream.receive(batch(1), 0);
  stream.receive(batch(2), 0);
  assert.equal(stream.receive(batch(1, { epoch, blocks: 1 }), 0).result, "applied");
  assert.deepEqual([stream.number, prefix(1), prefix(2)], [1, 1, 0]);
  assert.equal(stream.receive(batch(3), 0).result, "old-epoch");
  assert.equal(stream.swap(snapshot(5), 0), "stale");
  assert.equal(stream.receive(batch(4, { epoch: instanceOf(10) }), 0).fell, "late-join");
  assert.equal(stream.blocks, 0);
});

Deno.test("a snapshot of a newer epoch is taken over", () => {
  const { stream } = streamOf();
  stream.receive(batch(3), 0);
  const epoch = instanceOf(9);
  assert.equal(stream.swap(snapshot(2, { epoch }), 0), "swapped");
  assert.deepEqual([stream.state, stream.epoch, stream.number], ["exact", epoch, 2]);
});

Deno.test("contradictory events ask for a snapshot, and only that makes it good", () => {
  const { stream } = streamOf();
  stream.receive(batch(1), 0);
  const wrong: KvEvent = { op: "removed", numbers: Uint32Array.from([12_345]) };
  assert.equal(stream.receive(batch(2, { events: [wrong] }), 0).fell, "anomaly");
  assert.equal(stream.receive(batch(3), 0).result, "applied");
  assert.equal(stream.state, "behind");
  assert.equal(stream.swap(snapshot(3), 0), "swapped");
  assert.equal(stream.state, "exact");
  stream.receive(batch(4, { events: [wrong] }), 1_000);
  assert.equal(stream.isDue(streamLimits.anomalyEveryMs - 1), false);
  assert.equal(stream.isDue(streamLimits.anomalyEveryMs), true);
});

Deno.test("failing snapshots are tried again ever later, then the blocks are given up", () => {
  const { stream, prefix } = streamOf();
  stream.receive(batch(1), 0);
  stream.receive(batch(3), 0);
  const waits: number[] = [];
  let nowMs = 0;
  for (let i = 0; i < streamLimits.mostFailures; i++) {
    assert.equal(prefix(1), 2);
    stream.fetchBegan();
    stream.fetchFailed(nowMs);
    const before = nowMs;
    while (!stream.isDue(nowMs)) nowMs += 100;
    waits.push(nowMs - before);
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1_600, streamLimits.failedRetryMs]);
  assert.deepEqual([stream.state, stream.blocks], ["degraded", 0]);
  assert.equal(stream.receive(batch(4), nowMs).result, "skipped");
  assert.equal(stream.swap(snapshot(6), nowMs), "swapped");
  assert.deepEqual([stream.state, stream.number], ["exact", 6]);
  stream.checkIntegrity();
});

Deno.test("a source that does not fit is given up, and comes back when there is room", () => {
  const { stream, index } = streamOf(5);
  stream.receive(batch(1), 0);
  stream.receive(batch(2), 0);
  assert.deepEqual(stream.receive(batch(3), 0), { result: "skipped", isFull: true });
  assert.deepEqual([stream.state, stream.blocks, index.blocks], ["degraded", 0, 0]);
  assert.equal(stream.isDue(streamLimits.fullRetryMs - 1), false);
  assert.equal(stream.isDue(streamLimits.fullRetryMs), true);
  assert.equal(stream.swap(snapshot(3), 40_000), "full");
  assert.equal(stream.swap(snapshot(2, { number: 4 }), 80_000), "swapped");
  assert.deepEqual([stream.state, stream.blocks], ["exact", 4]);
  stream.checkIntegrity();
});

Deno.test("a source that is not there is no loss, until it speaks", () => {
  const { stream } = streamOf();
  stream.ask();
  assert.equal(stream.isDue(0), true);
  stream.fetchBegan();
  stream.absent();
  assert.deepEqual([stream.state, stream.isDue(1_000_000)], ["new", false]);
  assert.equal(stream.receive(batch(2), 0).fell, "late-join");
});

Deno.test("a source that was asked is exact only with a snapshot", () => {
  const { stream } = streamOf();
  stream.ask();
  stream.receive(batch(1), 0);
  assert.deepEqual([stream.state, stream.number], ["behind", 1]);
  stream.swap(snapshot(1), 0);
  assert.equal(stream.state, "exact");
});

Deno.test("batches of other block sizes and cache groups are not indexed", () => {
  const { stream } = streamOf();
  assert.equal(stream.receive(batch(1, { blockSize: 32 }), 0).result, "skipped");
  assert.equal(stream.receive(batch(1, { cacheGroup: 1 }), 0).result, "applied");
  assert.deepEqual([stream.number, stream.blocks], [1, 0]);
});

/** A publisher: what it holds after each batch, and the batches. */
function publisher(steps: readonly { store: number; remove: readonly number[]; clear: boolean }[]) {
  const held = new Map<number, number>();
  const batches: KvEventBatch[] = [];
  const snapshots: KvEventBatch[] = [];
  let next = 1;
  for (const step of steps) {
    const events: KvEvent[] = [];
    if (step.clear) {
      held.clear();
      events.push({ op: "cleared" });
    }
    const keys = [...held.keys()];
    const gone = new Set(step.remove.flatMap((i) => keys[i % (keys.length || 1)] ?? []));
    for (const number of gone) held.delete(number);
    if (gone.size > 0) events.push({ op: "removed", numbers: Uint32Array.from(gone) });
    for (let i = 0; i <= step.store % 3; i++) {
      held.set(next, step.store % 6);
      events.push(oneBlock(next, step.store % 6));
      next += 1;
    }
    const number = batches.length + 1;
    batches.push(batchOf(1, { number, events }));
    const all = Array.from(held, ([block, id]) => oneBlock(block, id));
    snapshots.push(batchOf(1, { number, events: all }));
  }
  return { batches, snapshots, held };
}

function oneBlock(number: number, id: number): KvEvent {
  const list = { hi: Uint32Array.of(id), lo: Uint32Array.of(id) };
  return { op: "stored", parent: 0, numbers: Uint32Array.of(number), ...list };
}

Deno.test("after quiescence the index is the truth, whatever was dropped, doubled or reordered", () => {
  const step = fc.record({
    store: fc.nat(100),
    remove: fc.array(fc.nat(50), { maxLength: 3 }),
    clear: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
  });
  const fate = fc.record({
    isDropped: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    copies: fc.integer({ min: 1, max: 2 }),
    delay: fc.nat(6),
    snapshotAge: fc.nat(3),
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(step, fate), { minLength: 1, maxLength: 80 }),
      (script) => {
        const { batches, snapshots, held } = publisher(script.map(([one]) => one));
        const index = new MapIndex(10_000);
        const slot = index.open();
        const stream = new EventStream(source, index, slot);
        const arrivals = script.flatMap(([, one], i) =>
          one.isDropped ? [] : Array.from({ length: one.copies }, (_, copy) => ({
            at: i + one.delay * (copy + 1),
            batch: batches[i],
          }))
        ).sort((a, b) => a.at - b.at);
        let nowMs = 0;
        let published = 0;
        for (const { at, batch } of arrivals) {
          published = Math.max(published, Math.min(batches.length, at + 1));
          nowMs += 50;
          stream.receive(batch, nowMs);
          if (stream.isDue(nowMs)) {
            stream.fetchBegan();
            const { snapshotAge } = script[batch.number - 1][1];
            // A snapshot may be older than what has come since, even older than what was applied.
            const as = Math.max(1, published - snapshotAge);
            if (snapshotAge === 3) stream.fetchFailed(nowMs);
            else stream.swap(snapshots[as - 1], nowMs);
          }
          stream.checkIntegrity();
          index.checkIntegrity();
        }
        for (
          let i = 0;
          i < 40 && (stream.state !== "exact" || stream.number < batches.length);
          i++
        ) {
          nowMs += 1_000;
          stream.reported(batches.length, nowMs);
          nowMs += 200;
          stream.tick(nowMs);
          if (!stream.isDue(nowMs)) continue;
          stream.fetchBegan();
          stream.swap(snapshots[batches.length - 1], nowMs);
        }
        assert.deepEqual([stream.state, stream.number], ["exact", batches.length]);
        assert.equal(index.blocks, held.size);
        for (let id = 0; id < 6; id++) {
          const list = { hi: Uint32Array.of(id), lo: Uint32Array.of(id) };
          const isHeld = [...held.values()].includes(id);
          assert.equal(index.longestPrefix(slot, list), isHeld ? 1 : 0);
        }
        index.checkIntegrity();
      },
    ),
    { numRuns: 500 },
  );
});
