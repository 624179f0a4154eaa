import assert from "node:assert/strict";
import fc from "fast-check";
import type { HashList } from "@pixii/wire";
import { batchOf, hashesOf, instanceOf, modelHash } from "../testing/samples.ts";
import { Approximations } from "./approximations.ts";
import { EventStreams } from "./event_streams.ts";
import type { OpenStream } from "./event_streams.ts";

function world(rules: { ttlMs?: number; blocks?: number; capacity?: number } = {}) {
  const { ttlMs = 100, blocks = 1_000, capacity = 2 ** 20 } = rules;
  const streams = new EventStreams(capacity);
  const approx = new Approximations({ ttlMs, blocks });
  const open = (number: number) => {
    const place = { dpRank: 0, tier: "device" as const, blockSize: 16 };
    const opened = streams.open({ owner: instanceOf(number), model: modelHash, ...place }, false);
    streams.reported(opened.key, 0, 0);
    return opened;
  };
  const check = () => {
    approx.checkIntegrity();
    streams.checkIntegrity();
  };
  return { streams, approx, open, check };
}

const prefix = ({ index, slot }: OpenStream, list: HashList) => index.longestPrefix(slot, list);

Deno.test("a decision's prompt is supposed at its rank for the time, and longer where it is named again", () => {
  const { approx, open, check } = world();
  const [a, b] = [open(1), open(2)];
  approx.placed(a, hashesOf(1, 4), 0);
  assert.deepEqual([prefix(a, hashesOf(1, 8)), prefix(b, hashesOf(1, 8))], [4, 0]);
  approx.placed(a, hashesOf(1, 2), 60);
  assert.equal(approx.expire(99), 0);
  assert.equal(approx.expire(100), 2);
  assert.equal(prefix(a, hashesOf(1, 4)), 2);
  check();
  assert.equal(approx.expire(160), 2);
  assert.deepEqual([approx.blocks, approx.has(a.key), a.stream.blocks], [0, false, 0]);
  check();
});

Deno.test("over the bound the longest unnamed blocks go, the ends of prompts first", () => {
  const { approx, open, check } = world({ blocks: 6 });
  const a = open(1);
  approx.placed(a, hashesOf(1, 4), 0);
  approx.placed(a, hashesOf(2, 4), 1);
  assert.deepEqual([prefix(a, hashesOf(1, 4)), prefix(a, hashesOf(2, 4))], [2, 4]);
  assert.deepEqual([approx.blocks, approx.counts.pruned], [6, 2]);
  check();
  approx.placed(a, hashesOf(3, 40), 2);
  assert.deepEqual([prefix(a, hashesOf(3, 40)), approx.blocks], [6, 6]);
  check();
});

Deno.test("the engine's own events take the place of all that was supposed", () => {
  const { streams, approx, open, check } = world();
  const a = open(1);
  approx.placed(a, hashesOf(1, 4), 0);
  approx.replaced(a.key);
  streams.receive(batchOf(1, { number: 1, events: [] }), 0);
  assert.deepEqual([a.stream.blocks, approx.blocks, approx.counts.replaced], [0, 0, 4]);
  check();
});

Deno.test("an index without room loses what is supposed of one rank, and nothing else", () => {
  const { approx, open, check } = world({ capacity: 0 });
  const [a, b] = [open(1), open(2)];
  approx.placed(a, hashesOf(1, 4), 0);
  approx.placed(b, hashesOf(2, 4), 0);
  assert.deepEqual([a.stream.blocks, b.stream.blocks, approx.blocks], [0, 0, 0]);
  check();
});

Deno.test("nothing is supposed for no time", () => {
  const { approx, open } = world({ ttlMs: 0 });
  approx.placed(open(1), hashesOf(1, 4), 0);
  assert.equal(approx.blocks, 0);
});

Deno.test("supposed blocks: never over the bound, never past their time, the index is a naive model's", () => {
  const step = fc.record({
    rank: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer({ min: 1, max: 4 }),
    blocks: fc.integer({ min: 0, max: 8 }),
    waitMs: fc.integer({ min: 0, max: 60 }),
    op: fc.constantFrom("placed", "placed", "placed", "expire", "replaced"),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 8, max: 20 }),
      (steps, most) => {
        const { approx, open, check } = world({ blocks: most });
        const ranks = [open(1), open(2), open(3)];
        /** Last word on each block, in the order of naming. */
        const named = new Map<string, number>();
        let nowMs = 0;
        for (const { rank, seed, blocks, waitMs, op } of steps) {
          nowMs += waitMs;
          const opened = ranks[rank - 1];
          if (op === "placed") {
            approx.placed(opened, hashesOf(seed, blocks), nowMs);
            const keys = Array.from({ length: blocks }, (_, i) => `${rank} ${seed} ${i}`).reverse();
            for (const key of keys) {
              named.delete(key);
              named.set(key, nowMs);
            }
            for (const key of named.keys()) {
              if (named.size <= most) break;
              named.delete(key);
            }
          } else if (op === "expire") {
            approx.expire(nowMs);
            for (const [key, atMs] of named) if (atMs + 100 <= nowMs) named.delete(key);
          } else {
            approx.replaced(opened.key);
            for (const key of named.keys()) if (key.startsWith(`${rank} `)) named.delete(key);
          }
          check();
          assert.ok(approx.blocks <= most);
          assert.equal(approx.blocks, named.size);
          for (const [i, one] of ranks.entries()) {
            for (let prompt = 1; prompt <= 4; prompt++) {
              let want = 0;
              while (named.has(`${i + 1} ${prompt} ${want}`)) want += 1;
              assert.equal(prefix(one, hashesOf(prompt, 8)), want);
            }
          }
        }
      },
    ),
  );
});
