import assert from "node:assert/strict";
import fc from "fast-check";
import { batchOf, hashesOf, instanceOf, modelHash, storedOf } from "../testing/samples.ts";
import { Audits } from "./audits.ts";
import type { AuditAsk } from "./audits.ts";
import { EventStreams } from "./event_streams.ts";

const place = { owner: instanceOf(1), model: modelHash, dpRank: 0, tier: "device" as const };
const epoch = instanceOf(1);

function world(everyMs = 100) {
  const streams = new EventStreams(2 ** 24);
  const audits = new Audits({ everyMs, blocks: 4 });
  const opened = streams.open({ ...place, blockSize: 16 }, false);
  audits.open(opened);
  streams.reported(opened.key, 0, 0);
  const apply = (batch: Parameters<typeof batchOf>[1], nowMs: number) => {
    streams.receive(batchOf(1, batch), nowMs);
    audits.moved(opened.key, nowMs);
  };
  const credited = (nowMs: number, seed = 1, blocks = 8) => {
    const hashes = [{ blockSize: 16, list: hashesOf(seed, blocks) }];
    audits.credited({ model: modelHash, sources: [opened.key], hashes }, nowMs);
  };
  return { streams, audits, opened, apply, credited, key: opened.key };
}

Deno.test("an audit compares with what was known after the batch that the answer is of", () => {
  const { audits, apply, credited } = world();
  apply({ number: 1, events: [storedOf(hashesOf(1, 4), 1)] }, 0);
  credited(0);
  const [ask] = audits.takeAsks(8);
  assert.equal(ask.asked.lo.length, 4);
  // All of it was removed by batch 2, which is not here yet.
  audits.answered(ask, { epoch, number: 2, held: new Uint8Array(4) }, 5);
  audits.checkIntegrity();
  assert.deepEqual(audits.takeResults(6), []);
  apply({ number: 2, events: [{ op: "removed", numbers: Uint32Array.of(1, 2, 3, 4) }] }, 7);
  const [result] = audits.takeResults(8);
  assert.deepEqual([result.kind, result.held, result.gone], ["match", 0, 0]);
  audits.checkIntegrity();
});

Deno.test("an answer of a former moment is compared with that moment; of an unknown one it says nothing", () => {
  const { audits, apply, credited, key } = world(1);
  apply({ number: 1, events: [storedOf(hashesOf(1, 4), 1)] }, 0);
  credited(0);
  const [ask] = audits.takeAsks(8);
  apply({ number: 2, events: [{ op: "cleared" }] }, 1);
  audits.answered(ask, { epoch, number: 1, held: Uint8Array.of(1, 1, 1, 0) }, 2);
  const [lie] = audits.takeResults(2);
  assert.deepEqual([lie.kind, lie.held, lie.gone], ["mismatch", 3, 1]);
  assert.deepEqual(lie.change, { from: "exact", to: "degraded", mustResync: true });
  apply({ number: 3, events: [storedOf(hashesOf(1, 4), 9)] }, 100);
  let nowMs = 200;
  for (
    const answer of [
      { epoch: instanceOf(7), number: 3, held: new Uint8Array(4) },
      { epoch, number: 1, held: new Uint8Array(4) },
      { epoch, number: 3, held: new Uint8Array(3) },
      { epoch, number: 900, held: new Uint8Array(4) },
    ]
  ) {
    nowMs += 5_000;
    credited(nowMs);
    const [next] = audits.takeAsks(8);
    audits.answered(ask, { epoch, number: 3, held: new Uint8Array(4) }, nowMs);
    audits.answered(next, answer, nowMs);
    const [result] = audits.takeResults(nowMs + 3_000);
    assert.equal(result.kind, "unclear");
    assert.equal(audits.factsOf(key)?.trust, "degraded");
  }
});

Deno.test("audits ask for nothing where nothing is credited, due, or exact", () => {
  const { audits, streams, apply, credited, key } = world();
  credited(0);
  assert.equal(audits.takeAsks(8).length, 0);
  apply({ number: 1, events: [storedOf(hashesOf(1, 4), 1)] }, 0);
  credited(0, 2);
  assert.equal(audits.takeAsks(8).length, 0);
  credited(0);
  credited(0);
  const [ask] = audits.takeAsks(8);
  audits.unanswered(ask, 0);
  credited(10);
  assert.equal(audits.takeAsks(8).length, 0);
  apply({ number: 9, events: [] }, 150);
  credited(150);
  assert.equal(audits.takeAsks(8).length, 0);
  audits.close(key);
  streams.close(key);
  audits.answered(ask, { epoch, number: 1, held: new Uint8Array(4) }, 0);
  audits.checkIntegrity();
});

/** A worker with a wire of its own: batches and answers arrive late, in any order to each other. */
Deno.test("an honest worker is never suspected, whatever is in flight", () => {
  const step = fc.record({
    op: fc.constantFrom("store", "remove", "clear", "deliver", "deliver", "ask", "answer", "reply"),
    seed: fc.integer({ min: 1, max: 2 }),
    blocks: fc.integer({ min: 1, max: 6 }),
  });
  let compared = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 150, size: "max" }), (steps) => {
      const { audits, apply, credited } = world(1);
      const held = new Map<number, string>();
      const wire: Parameters<typeof batchOf>[1][] = [];
      let answers: { ask: AuditAsk; number: number; held: Uint8Array }[] = [];
      let ask: AuditAsk | undefined;
      let [number, block, nowMs] = [0, 1, 0];
      const say = (events: Parameters<typeof batchOf>[1]["events"]) =>
        wire.push({ number: ++number, events });
      for (const { op, seed, blocks } of steps) {
        nowMs += 2;
        const list = hashesOf(seed, blocks);
        if (op === "store") {
          say([storedOf(list, block)]);
          list.lo.forEach((lo, i) => held.set(block++, `${list.hi[i]} ${lo}`));
        } else if (op === "remove") {
          const numbers = [...held.keys()].slice(0, blocks);
          for (const one of numbers) held.delete(one);
          say([{ op: "removed", numbers: Uint32Array.from(numbers) }]);
        } else if (op === "clear") {
          held.clear();
          say([{ op: "cleared" }]);
        } else if (op === "deliver") {
          const batch = wire.shift();
          if (batch !== undefined) apply(batch, nowMs);
        } else if (op === "ask") {
          credited(nowMs, seed);
          ask ??= audits.takeAsks(1)[0];
        } else if (op === "answer" && ask !== undefined && answers.length === 0) {
          const all = new Set(held.values());
          const { hi, lo } = ask.asked;
          answers = [{
            ...{ ask, number },
            held: Uint8Array.from(lo, (low, i) => all.has(`${hi[i]} ${low}`) ? 1 : 0),
          }];
        } else if (op === "reply" && answers.length > 0) {
          const { ask: asked, ...answer } = answers[0];
          audits.answered(asked, { epoch, ...answer }, nowMs);
          answers = [];
        }
        audits.checkIntegrity();
        for (const { kind, held: same } of audits.takeResults(nowMs)) {
          ask = undefined;
          assert.notEqual(kind, "mismatch");
          if (kind === "match") compared += same;
        }
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(compared > 50, `${compared} blocks`);
});
