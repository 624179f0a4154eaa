import assert from "node:assert/strict";
import fc from "fast-check";
import type { HashList } from "@pixii/wire";
import { PooledLru } from "./pooled_lru.ts";

/** Blocks `from` to `to` of prompt family `seed`. */
function listOf(seed: number, from: number, to: number): HashList {
  const length = to - from;
  return {
    hi: Uint32Array.from({ length }, () => seed),
    lo: Uint32Array.from({ length }, (_, i) => from + i),
  };
}

/** The same cache, by a Map in order of use. */
class PlainLru {
  readonly #held = new Map<string, true>();
  readonly #room: number;

  constructor(room: number) {
    this.#room = room;
  }

  use({ hi, lo }: HashList): number {
    let missed = 0;
    for (let i = lo.length - 1; i >= 0; i--) {
      const key = `${hi[i]}.${lo[i]}`;
      if (!this.#held.delete(key)) missed += 1;
      if (this.#room === 0) continue;
      if (this.#held.size === this.#room) this.#held.delete(this.#held.keys().next().value!);
      this.#held.set(key, true);
    }
    return missed;
  }
}

Deno.test("use() is an LRU, block for block, where nothing is sampled away", () => {
  const prompt = fc.record({ seed: fc.nat(5), length: fc.integer({ min: 1, max: 12 }) });
  fc.assert(
    fc.property(fc.nat(40), fc.array(prompt, { maxLength: 80 }), (room, prompts) => {
      const pool = new PooledLru();
      pool.resize(room);
      const plain = new PlainLru(room);
      for (const { seed, length } of prompts) {
        const { sampled, missed } = pool.use(listOf(seed, 0, length));
        assert.deepEqual([sampled, missed], [length, plain.use(listOf(seed, 0, length))]);
        pool.checkIntegrity();
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("a full table gives room again, in any order of sizes", () => {
  const pool = new PooledLru();
  for (const room of [100, 8_192, 50, 20_000, 400_000, 3]) {
    pool.resize(room);
    for (let seed = 0; seed < 40; seed++) pool.use(listOf(seed, 0, 300));
    pool.checkIntegrity();
    assert.ok(pool.size <= Math.max(1, Math.round(room * pool.rate)));
  }
  assert.ok(pool.rate < 0.01);
});

/** A stream of prompts with one hot beginning, warm families and a cold rest. */
function* stream(count: number): Iterable<HashList> {
  let state = 1;
  const draw = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  for (let i = 0; i < count; i++) {
    const family = Math.floor(4_000 * draw() ** 3);
    const hot = listOf(1, 0, 4);
    const warm = listOf(1_000 + family, 0, 20);
    const cold = listOf(1_000_000 + i, 0, 6);
    yield {
      hi: Uint32Array.from([...hot.hi, ...warm.hi, ...cold.hi]),
      lo: Uint32Array.from([...hot.lo, ...warm.lo, ...cold.lo]),
    };
  }
}

Deno.test("a sample of a large pool tells its hit rate within two points of the truth", () => {
  const room = 65_536;
  const pool = new PooledLru();
  pool.resize(room);
  assert.equal(pool.rate, 1 / 32);
  const plain = new PlainLru(room);
  let blocks = 0;
  let missed = 0;
  let estimate = 0;
  for (const list of stream(6_000)) {
    blocks += list.lo.length;
    missed += plain.use(list);
    estimate += pool.use(list).missed / pool.rate;
  }
  const [truth, told] = [1 - missed / blocks, 1 - estimate / blocks];
  assert.ok(truth > 0.2 && truth < 0.9, `${truth}`);
  assert.ok(Math.abs(truth - told) < 0.02, `true ${truth}, estimated ${told}`);
});
