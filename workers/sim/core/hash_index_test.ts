import assert from "node:assert/strict";
import fc from "fast-check";
import { HashIndex } from "./hash_index.ts";
import { HostPool } from "./host_pool.ts";
import { UseOrder } from "./use_order.ts";

Deno.test("HashIndex finds what a map finds, whatever is added and removed", () => {
  fc.assert(fc.property(
    // Few low words, so that probes run long and gaps close across them.
    fc.array(fc.tuple(fc.boolean(), fc.nat(3), fc.nat(40)), { maxLength: 200 }),
    (changes) => {
      const rows = 64;
      const columns = { hi: new Uint32Array(rows), lo: new Uint32Array(rows) };
      const index = new HashIndex(rows, columns);
      const held = new Map<string, number>();
      const free = Array.from({ length: rows }, (_, row) => row);
      for (const [isAdded, hi, low] of changes) {
        const lo = (low * 0x40000000 + low) >>> 0;
        const key = `${hi},${lo}`;
        const known = held.get(key);
        assert.equal(index.find(hi, lo), known);
        if (isAdded && known === undefined && free.length > 0) {
          const row = free.pop()!;
          columns.hi[row] = hi;
          columns.lo[row] = lo;
          index.add(row);
          held.set(key, row);
        } else if (!isAdded && known !== undefined) {
          index.remove(known);
          held.delete(key);
          free.push(known);
        }
        assert.equal(index.size, held.size);
      }
      for (const [key, row] of held) {
        const [hi, lo] = key.split(",").map(Number);
        assert.equal(index.find(hi, lo), row);
      }
    },
  ));
});

Deno.test("HashIndex.remove() throws for a row that is not held", () => {
  const columns = { hi: new Uint32Array(2), lo: new Uint32Array(2) };
  assert.throws(() => new HashIndex(2, columns).remove(1), /row 1 is not in the index/);
});

Deno.test("UseOrder keeps rows in the order of their adding", () => {
  fc.assert(fc.property(fc.array(fc.nat(9), { maxLength: 60 }), (rows) => {
    const order = new UseOrder(10);
    const plain: number[] = [];
    for (const row of rows) {
      const at = plain.indexOf(row);
      if (at >= 0) {
        order.remove(row);
        plain.splice(at, 1);
      }
      if (at < 0 || row % 2 === 0) {
        order.add(row);
        plain.push(row);
      }
      assert.deepEqual([...order], plain);
      assert.deepEqual([order.size, order.oldest], [plain.length, plain[0]]);
    }
  }));
});

Deno.test("HostPool keeps the last used hashes up to its capacity", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 5 }),
    fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { maxLength: 80 }),
    (capacity, uses) => {
      const pool = new HostPool(capacity);
      const plain: number[] = [];
      for (const [isKept, hash] of uses) {
        const at = plain.indexOf(hash);
        if (isKept) pool.keep(hash, hash);
        else assert.equal(pool.touch(hash, hash), at >= 0);
        if (at >= 0) plain.splice(at, 1);
        if (isKept || at >= 0) plain.push(hash);
        if (plain.length > capacity) plain.shift();
        pool.checkIntegrity();
        assert.deepEqual(plain.filter((one) => !pool.has(one, one)), []);
        assert.equal(pool.size, plain.length);
      }
    },
  ));
});
