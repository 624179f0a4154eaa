import assert from "node:assert/strict";
import fc from "fast-check";
import type { HashList, KvEvent } from "@pixii/wire";
import { hashesOf, storedOf } from "./samples.ts";
import { MapIndex } from "./map_index.ts";

/** Hash `id` of a small world; several share their low half, and halves have their top bit set. */
const hiOf = (id: number) => (0x8000_0000 + (id >> 1)) >>> 0;
const loOf = (id: number) => (0xffff_fff0 + (id & 1)) >>> 0;

function listOf(ids: readonly number[]): HashList {
  return { hi: Uint32Array.from(ids, hiOf), lo: Uint32Array.from(ids, loOf) };
}

function stored(numbers: readonly number[], ids: readonly number[]): KvEvent {
  return { op: "stored", parent: 0, numbers: Uint32Array.from(numbers), ...listOf(ids) };
}

function removed(...numbers: number[]): KvEvent {
  return { op: "removed", numbers: Uint32Array.from(numbers) };
}

function overlapsOf(
  index: MapIndex,
  list: HashList,
  ...owners: Parameters<MapIndex["overlaps"]>[1]
) {
  const out = new Uint32Array(3 * owners.length);
  index.overlaps(list, owners, out);
  return [...out];
}

Deno.test("longestPrefix() counts the blocks from the start without a hole", () => {
  const index = new MapIndex();
  const a = index.open();
  const list = listOf([1, 2, 3, 4]);
  assert.equal(index.longestPrefix(a, list), 0);
  index.apply(a, [stored([7, 8], [1, 2]), stored([9], [4])]);
  assert.equal(index.longestPrefix(a, list), 2);
  index.apply(a, [stored([10], [3])]);
  assert.equal(index.longestPrefix(a, list), 4);
  index.apply(a, [removed(7)]);
  assert.equal(index.longestPrefix(a, list), 0);
});

Deno.test("holds() tells of each block, holes or not; snapshot() gives the same membership again", () => {
  const index = new MapIndex();
  const [a, b] = [index.open(), index.open()];
  const list = listOf([1, 2, 3, 4]);
  index.apply(a, [stored([7, 8, 9], [1, 3, 3])]);
  const said = new Uint8Array(4).fill(9);
  index.holds(a, list, said);
  assert.deepEqual([...said], [1, 0, 1, 0]);
  assert.equal(index.apply(b, [...index.snapshot(a)]).anomalies, 0);
  index.apply(b, [removed(7, 8)]);
  index.holds(b, list, said);
  assert.deepEqual([...said], [0, 0, 1, 0]);
  assert.deepEqual([...index.snapshot(index.open())], []);
});

Deno.test("a membership ends with its last copy", () => {
  const index = new MapIndex();
  const a = index.open();
  index.apply(a, [stored([1], [5]), stored([2], [5]), stored([3], [5])]);
  assert.equal(index.blocks, 3);
  index.apply(a, [removed(2), removed(1)]);
  assert.equal(index.longestPrefix(a, listOf([5])), 1);
  index.apply(a, [removed(3)]);
  assert.equal(index.longestPrefix(a, listOf([5])), 0);
  index.checkIntegrity();
});

Deno.test("overlaps() counts each block for the best tier that has it, until none has", () => {
  const index = new MapIndex();
  const [device, host, disk, other] = [index.open(), index.open(), index.open(), index.open()];
  index.apply(device, [stored([1, 2, 3], [1, 2, 5])]);
  index.apply(host, [stored([1, 2, 3], [2, 3, 7])]);
  index.apply(disk, [stored([1, 2, 3], [3, 4, 8])]);
  const list = listOf([1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(overlapsOf(index, list, { device, host, disk }), [3, 1, 1]);
  assert.deepEqual(overlapsOf(index, list, { device, host }), [2, 1, 0]);
  assert.deepEqual(overlapsOf(index, list, { device }, { device: other, disk }, { host }), [
    ...[2, 0, 0],
    ...[0, 0, 0],
    ...[0, 0, 0],
  ]);
  assert.deepEqual(overlapsOf(index, listOf([]), { device }), [0, 0, 0]);
});

Deno.test("apply() stops where there is no room, and clear() gives it back", () => {
  const index = new MapIndex(5);
  const [a, b] = [index.open(), index.open()];
  assert.deepEqual(index.apply(a, [storedOf(hashesOf(1, 3), 1)]), { isFull: false, anomalies: 0 });
  assert.equal(index.apply(b, [storedOf(hashesOf(1, 3), 1)]).isFull, true);
  assert.equal(index.blocks, 5);
  index.clear(b);
  assert.equal(index.apply(b, [storedOf(hashesOf(1, 2), 1)]).isFull, false);
  index.drop(a);
  assert.equal(index.blocks, 2);
  index.checkIntegrity();
});

Deno.test("apply() counts what contradicts, and the later word holds", () => {
  const index = new MapIndex();
  const a = index.open();
  assert.equal(index.apply(a, [removed(1, 2)]).anomalies, 2);
  assert.equal(index.apply(a, [stored([1], [1]), stored([1], [2])]).anomalies, 1);
  assert.equal(index.longestPrefix(a, listOf([1])), 0);
  assert.equal(index.longestPrefix(a, listOf([2])), 1);
  assert.equal(index.blocks, 1);
});

Deno.test("a slot that was dropped is used again, and using it before that is a bug", () => {
  const index = new MapIndex();
  const a = index.open();
  index.drop(a);
  assert.throws(() => index.apply(a, []), /was dropped/);
  assert.equal(index.open(), a);
});

const owners = 4;
const hashes = 12;
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("store" as const),
      owner: fc.nat(owners - 1),
      ids: fc.array(fc.nat(hashes - 1), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant("remove" as const),
      owner: fc.nat(owners - 1),
      which: fc.array(fc.nat(1_000), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("clear" as const), owner: fc.nat(owners - 1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("reopen" as const), owner: fc.nat(owners - 1) }),
  },
);

/** The truth of one owner: which hash each of its block numbers has. */
type Truth = Map<number, number>;

function naivePrefix(tiers: readonly Truth[], ids: readonly number[]): number[] {
  const counts = [0, 0, 0];
  for (const id of ids) {
    const tier = tiers.findIndex((truth) => [...truth.values()].includes(id));
    if (tier < 0) break;
    counts[tier] += 1;
  }
  return counts;
}

Deno.test("the index equals a naive model under random stores, removals, copies and clears", () => {
  const query = fc.array(fc.nat(hashes - 1), { maxLength: 8 });
  fc.assert(
    fc.property(
      fc.array(operation, { minLength: 20, maxLength: 300 }),
      fc.array(query, { minLength: 1, maxLength: 8 }),
      (operations, queries) => {
        const index = new MapIndex();
        const slots = Array.from({ length: owners }, () => index.open());
        const truths: Truth[] = Array.from({ length: owners }, () => new Map());
        let next = 1;
        for (const one of operations) {
          const truth = truths[one.owner];
          if (one.op === "store") {
            const numbers = one.ids.map(() => next++);
            one.ids.forEach((id, i) => truth.set(numbers[i], id));
            index.apply(slots[one.owner], [stored(numbers, one.ids)]);
          } else if (one.op === "remove") {
            const held = [...truth.keys()];
            const numbers = new Set(
              one.which.flatMap((i) => held.slice(i % (held.length || 1))[0] ?? []),
            );
            for (const number of numbers) truth.delete(number);
            const { anomalies } = index.apply(slots[one.owner], [removed(...numbers)]);
            assert.equal(anomalies, 0);
          } else if (one.op === "clear") {
            truth.clear();
            index.apply(slots[one.owner], [{ op: "cleared" }]);
          } else {
            truth.clear();
            index.drop(slots[one.owner]);
            slots[one.owner] = index.open();
          }
        }
        index.checkIntegrity();
        assert.equal(index.blocks, truths.reduce((sum, truth) => sum + truth.size, 0));
        for (const ids of queries) {
          const list = listOf(ids);
          slots.forEach((slot, i) => {
            assert.equal(index.longestPrefix(slot, list), naivePrefix([truths[i]], ids)[0]);
          });
          const [a, b, c, d] = slots;
          assert.deepEqual(
            overlapsOf(index, list, { device: a, host: b, disk: c }, { device: d }, { host: a }),
            [
              ...naivePrefix([truths[0], truths[1], truths[2]], ids),
              ...naivePrefix([truths[3]], ids),
              ...[0, naivePrefix([truths[0]], ids)[0], 0],
            ],
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});
