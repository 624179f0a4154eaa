import assert from "node:assert/strict";
import fc from "fast-check";
import xxhash from "xxhash-wasm";
import { hexOfU64 } from "./ids.ts";
import { modelHashOf, RouteHasher, routeHashes, routeSalt } from "./route_hash.ts";
import { xxh64 } from "./xxh64.ts";

const reference = await xxhash();
const wide = (hash: { hi: number; lo: number }) => (BigInt(hash.hi) << 32n) | BigInt(hash.lo);

Deno.test("xxh64() equals the reference for every length and seed", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (bytes, seed) => {
        const split = { hi: Number(seed >> 32n), lo: Number(seed & 0xffffffffn) };
        assert.equal(wide(xxh64(bytes, split)), reference.h64Raw(bytes, seed));
      },
    ),
    { numRuns: 3000 },
  );
});

/** The formula of the design, word for word, over BigInt. */
function naive(tokens: number[], blockSize: number, adapter: string, tenant: string): bigint[] {
  const salt = reference.h64(`pixii-route-1|${adapter}|${tenant}`, 0n);
  const chain: bigint[] = [];
  for (let i = 0; i + blockSize <= tokens.length; i += blockSize) {
    const block = new Uint8Array(Uint32Array.from(tokens.slice(i, i + blockSize)).buffer);
    const own = reference.h64Raw(block, salt);
    if (chain.length === 0) chain.push(own);
    else {
      const pair = new DataView(new ArrayBuffer(16));
      pair.setBigUint64(0, chain[chain.length - 1], true);
      pair.setBigUint64(8, own, true);
      chain.push(reference.h64Raw(new Uint8Array(pair.buffer), salt));
    }
  }
  return chain;
}

Deno.test("routeHashes() follows the formula for any tokens, block size, adapter and tenant", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(200_000), { maxLength: 150 }),
      fc.constantFrom(1, 16, 32, 64),
      fc.constantFrom("", "adapter"),
      fc.constantFrom("", "tenant"),
      (tokens, blockSize, adapterDigest, tenantSalt) => {
        const list = routeHashes(tokens, { blockSize, adapterDigest, tenantSalt });
        const got = Array.from(list.hi, (hi, i) => wide({ hi, lo: list.lo[i] }));
        assert.deepEqual(got, naive(tokens, blockSize, adapterDigest, tenantSalt));
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("routeHashes() gives the golden vectors", async () => {
  const golden = JSON.parse(
    await Deno.readTextFile(new URL("./golden/route_hash.json", import.meta.url)),
  );
  const tokens = Array.from({ length: 200 }, (_, i) => (i * 2654435761) % 49152);
  const hex = (options: { blockSize: number; adapterDigest?: string; tenantSalt?: string }) => {
    const list = routeHashes(tokens, options);
    return Array.from(list.hi, (hi, i) => hexOfU64(hi, list.lo[i]));
  };
  assert.deepEqual(golden, {
    plain64: hex({ blockSize: 64 }),
    plain16: hex({ blockSize: 16 }),
    salted64: hex({ blockSize: 64, adapterDigest: "a", tenantSalt: "t" }),
    modelHash: modelHashOf("org/name"),
    salt: hexOfU64(routeSalt().hi, routeSalt().lo),
  });
});

Deno.test("RouteHasher.push() mixes the extra key into the block and so into all after it", () => {
  const tokens = Array.from({ length: 128 }, (_, i) => i);
  const plain = new RouteHasher({ blockSize: 64 });
  const keyed = new RouteHasher({ blockSize: 64 });
  plain.push(tokens, 0);
  keyed.push(tokens, 0, new Uint8Array([1, 2, 3]));
  const a = { ...plain.push(tokens, 64) };
  const b = { ...keyed.push(tokens, 64) };
  assert.notDeepEqual(a, b);
  assert.equal(keyed.count, 2);
});
