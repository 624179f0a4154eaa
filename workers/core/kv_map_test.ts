import assert from "node:assert/strict";
import fc from "fast-check";
import { routeHashes } from "@pixii/wire";
import { EventReplay, FakeCache } from "./fake_cache_testing.ts";
import { KvMap } from "./kv_map.ts";
import type { KvSalt } from "./kv_salt.ts";

const blockSize = 4;
const salts: readonly KvSalt[] = [
  { adapterDigest: "", tenantSalt: "" },
  { adapterDigest: "", tenantSalt: "one" },
];

function matchOf(kv: KvMap, tokens: readonly number[], salt = salts[0], prefilledOnly = false) {
  return kv.match(tokens, {
    hashes: routeHashes(tokens, { blockSize, ...salt }),
    salt,
    prefilledOnly,
  });
}

function mapOf(slots = 4, cells = 64): KvMap {
  return new KvMap({ slots, cells, blockSize });
}

/** A map, the cache it steers, a router, and a naive model of what may be reused. */
class World {
  readonly kv: KvMap;
  readonly cells: number;
  readonly cache: FakeCache;
  readonly router = new EventReplay();
  /** Per live slot: its salt and which of its tokens decode computed. */
  readonly live = new Map<number, { salt: KvSalt; decoded: boolean[] }>();
  /** Per slot ever closed with `keep`: the same. */
  readonly kept = new Map<number, { salt: KvSalt; decoded: boolean[] }>();

  constructor(slots: number, cells: number) {
    this.kv = mapOf(slots, cells);
    this.cells = cells;
    this.cache = new FakeCache(cells);
  }

  open(salt: KvSalt, prompt: readonly number[], prefilledOnly: boolean): void {
    if (this.live.size >= 3) return;
    const slot = this.kv.open(salt);
    if (slot === undefined) return;
    this.kept.delete(slot);
    this.settle();
    const match = matchOf(this.kv, prompt, salt, prefilledOnly);
    const best = this.best(prompt, salt, prefilledOnly);
    assert.equal(match?.blocks ?? 0, best, "the longest prefix is found");
    const source = match === undefined ? undefined : this.#of(match.slot);
    if (match !== undefined) this.kv.attach(slot, match);
    const decoded = source?.decoded.slice(0, best * blockSize) ?? [];
    this.live.set(slot, { salt, decoded });
    this.settle();
    assert.deepEqual(this.cache.tokens(slot), prompt.slice(0, best * blockSize));
  }

  append(slot: number, tokens: readonly number[], how: "prefill" | "decode"): void {
    if (!this.kv.reclaim(tokens.length)) return;
    this.settle();
    const start = this.kv.computed(slot);
    tokens.forEach((token, i) => this.cache.add(slot, start + i, token));
    this.kv.append(slot, tokens, how);
    const mine = this.live.get(slot)!;
    // Once a slot decodes, whatever it appends counts as decoded.
    const dirty = how === "decode" || mine.decoded.at(-1) === true;
    for (const _ of tokens) mine.decoded.push(dirty);
  }

  close(slot: number, keep: boolean): void {
    this.kv.close(slot, keep);
    this.kept.set(slot, this.live.get(slot)!);
    this.live.delete(slot);
  }

  /** The longest run of blocks any slot has. */
  best(prompt: readonly number[], salt: KvSalt, prefilledOnly: boolean): number {
    let best = 0;
    for (const [slot, { salt: its, decoded }] of [...this.live, ...this.kept]) {
      if (its !== salt) continue;
      const held = this.cache.tokens(slot);
      let same = 0;
      while (same < prompt.length && same < held.length && held[same] === prompt[same]) same += 1;
      let blocks = Math.floor(same / blockSize);
      if (prefilledOnly) {
        while (blocks > 0 && decoded.slice(0, blocks * blockSize).some((one) => one)) blocks -= 1;
      }
      best = Math.max(best, blocks);
    }
    return best;
  }

  #of(slot: number) {
    return this.live.get(slot) ?? this.kept.get(slot);
  }

  settle(): void {
    this.cache.apply(this.kv.takeOps());
    this.router.apply(this.kv.takeEvents());
    this.kv.checkIntegrity();
    assert.equal(this.kv.freeCells, this.cells - this.cache.used, "cells are counted right");
    assert.deepEqual(this.router.blocks, EventReplay.of(this.kv.snapshot()));
    const { active, cached } = this.kv.counts();
    assert.equal(active + cached, this.router.blocks.size);
  }
}

const token = fc.nat(1);
const command = fc.oneof(
  fc.record({
    op: fc.constant("open" as const),
    salt: fc.constantFrom(...salts),
    prompt: fc.array(token, { maxLength: 14 }),
    prefilledOnly: fc.boolean(),
  }),
  fc.record({
    op: fc.constant("append" as const),
    at: fc.nat(2),
    tokens: fc.array(token, { minLength: 1, maxLength: 9 }),
    how: fc.constantFrom("prefill" as const, "decode" as const),
  }),
  fc.record({ op: fc.constant("close" as const), at: fc.nat(2), keep: fc.boolean() }),
  fc.record({ op: fc.constant("reclaim" as const), cells: fc.nat(30) }),
);

Deno.test("KvMap agrees with a plain cache under random use", () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 60 }),
      fc.integer({ min: 3, max: 6 }),
      fc.integer({ min: 8, max: 48 }),
      (commands, slots, cells) => {
        const world = new World(slots, cells);
        for (const one of commands) {
          const slot = "at" in one ? [...world.live.keys()][one.at] : undefined;
          if (one.op === "open") world.open(one.salt, one.prompt, one.prefilledOnly);
          else if (one.op === "reclaim") world.kv.reclaim(one.cells);
          else if (slot === undefined) continue;
          else if (one.op === "append") world.append(slot, one.tokens, one.how);
          else world.close(slot, one.keep);
          world.settle();
        }
        for (const slot of [...world.live.keys()]) world.close(slot, false);
        world.kv.reclaim(Infinity);
        world.settle();
        assert.equal(world.cache.used, 0, "everything can be given up");
        assert.equal(world.router.blocks.size, 0);
      },
    ),
    { numRuns: 1500 },
  );
});

Deno.test("KvMap removes a block only when its last holder gives it up", () => {
  const kv = mapOf();
  const prompt = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const first = kv.open(salts[0])!;
  kv.append(first, prompt, "prefill");
  const second = kv.open(salts[0])!;
  kv.attach(second, matchOf(kv, prompt)!);
  kv.takeEvents();
  kv.close(first, false);
  assert.deepEqual(kv.takeEvents(), [], "the second still has both blocks");
  kv.close(second, false);
  assert.deepEqual(kv.takeEvents(), [{ op: "removed", numbers: Uint32Array.of(2, 1) }]);
});

Deno.test("KvMap never shares blocks between salts, equal tokens or not", () => {
  const kv = mapOf();
  kv.append(kv.open(salts[0])!, [1, 2, 3, 4], "prefill");
  assert.equal(matchOf(kv, [1, 2, 3, 4], salts[0])?.blocks, 1);
  assert.equal(matchOf(kv, [1, 2, 3, 4], salts[1]), undefined);
  // Even with the other salt's hashes in hand, the salt itself is compared.
  const forged = kv.match([1, 2, 3, 4], {
    hashes: routeHashes([1, 2, 3, 4], { blockSize, ...salts[0] }),
    salt: salts[1],
    prefilledOnly: false,
  });
  assert.equal(forged, undefined);
});

Deno.test("KvMap compares tokens, so a hash that lies reuses nothing", () => {
  const kv = mapOf();
  kv.append(kv.open(salts[0])!, [1, 2, 3, 4], "prefill");
  const lie = kv.match([1, 2, 3, 5], {
    hashes: routeHashes([1, 2, 3, 4], { blockSize }),
    salt: salts[0],
    prefilledOnly: false,
  });
  assert.equal(lie, undefined);
});

Deno.test("KvMap marks what decode computed, and everything behind it", () => {
  const kv = mapOf();
  const slot = kv.open(salts[0])!;
  kv.append(slot, [1, 2, 3, 4, 5], "prefill");
  kv.append(slot, [6], "decode");
  kv.append(slot, [7, 8, 9, 10, 11, 12], "prefill");
  const tokens = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
  assert.equal(matchOf(kv, tokens, salts[0], false)?.blocks, 3);
  assert.equal(matchOf(kv, tokens, salts[0], true)?.blocks, 1);
});

Deno.test("KvMap evicts the least recently used slot, its last block first", () => {
  const kv = mapOf(4, 24);
  const keep = (tokens: number[]) => {
    const slot = kv.open(salts[0])!;
    kv.append(slot, tokens, "prefill");
    kv.close(slot, true);
  };
  keep([1, 1, 1, 1, 2, 2, 2, 2]);
  keep([3, 3, 3, 3, 4, 4, 4, 4]);
  assert.equal(matchOf(kv, [1, 1, 1, 1])?.blocks, 1, "this also counts as a use");
  assert.ok(kv.reclaim(12));
  assert.equal(matchOf(kv, [3, 3, 3, 3, 4, 4, 4, 4])?.blocks, 1);
  assert.equal(matchOf(kv, [1, 1, 1, 1, 2, 2, 2, 2])?.blocks, 2);
  assert.equal(kv.reclaim(25), false);
  assert.equal(kv.freeCells, 24);
});

Deno.test("KvMap keeps one copy of what two slots computed alike", () => {
  const kv = mapOf();
  const [one, two] = [kv.open(salts[0])!, kv.open(salts[0])!];
  kv.append(one, [1, 2, 3, 4, 5], "prefill");
  kv.append(two, [1, 2, 3, 4, 6], "prefill");
  kv.close(one, true);
  kv.close(two, true);
  assert.deepEqual(kv.counts(), { active: 0, cached: 1 });
  assert.equal(kv.freeCells, 60);
});

Deno.test("KvMap refuses misuse of its slots", () => {
  const kv = mapOf(2);
  const slot = kv.open(salts[0])!;
  kv.append(slot, [1, 2, 3, 4], "prefill");
  const match = matchOf(kv, [1, 2, 3, 4])!;
  assert.throws(() => kv.attach(slot, match), /needs an empty slot/);
  const other = kv.open(salts[1])!;
  assert.throws(() => kv.attach(other, match), /same salt/);
  assert.equal(kv.open(salts[0]), undefined, "both slots are live");
  kv.close(slot, true);
  assert.throws(() => kv.close(slot, true), /needs a live slot/);
  assert.throws(() => kv.append(slot, [1], "decode"), /needs a live slot/);
});
