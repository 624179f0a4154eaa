import assert from "node:assert/strict";
import { routeHashes } from "@pixii/wire";
import { KeepPolicy } from "./keep_policy.ts";
import { KvMap } from "./kv_map.ts";

const blockSize = 4;
const salt = { adapterDigest: "", tenantSalt: "" };

/** Runs a prompt of whole blocks through the map, as the batcher would; the blocks found. */
function run(kv: KvMap, tokens: readonly number[]): number {
  const hashes = routeHashes(tokens, { blockSize });
  const match = kv.match(tokens, { hashes, salt, prefilledOnly: false });
  const slot = kv.open(salt)!;
  const again = match && kv.match(tokens, { hashes, salt, prefilledOnly: false });
  if (again !== undefined) kv.attach(slot, again);
  const start = (again?.blocks ?? 0) * blockSize;
  kv.reclaim(tokens.length - start);
  kv.append(slot, tokens.slice(start), "prefill");
  kv.close(slot, true);
  kv.checkIntegrity();
  return again?.blocks ?? 0;
}

/** Two blocks that no other number has. */
const unique = (n: number) => Array.from({ length: 2 * blockSize }, (_, i) => 10 * n + i);

function mapOf(): KvMap {
  return new KvMap({ slots: 30, cells: 160, blockSize });
}

Deno.test("KeepPolicy keeps everything until some twenty say that it is of no use, and tries again", () => {
  const policy = new KeepPolicy(40);
  let given = 0;
  while (policy.mostBlocks(false) === Infinity) {
    policy.gaveUp(false);
    given += 1;
  }
  assert.ok(given > 10 && given < 100, `${given} prompts`);
  assert.equal(policy.mostBlocks(false), 5);
  policy.gaveUp(true);
  policy.gaveUp(true);
  policy.gaveUp(true);
  assert.equal(policy.mostBlocks(false), Infinity);
  while (policy.mostBlocks(false) === Infinity) policy.gaveUp(false);
  let kept = 0;
  while (policy.mostBlocks(false) !== Infinity) {
    policy.kept();
    kept += 1;
  }
  assert.equal(kept, 256);
});

Deno.test("KeepPolicy keeps little on the device where a host tier has the rest", () => {
  const policy = new KeepPolicy(40);
  assert.equal(policy.mostBlocks(true), 2);
  for (let i = 0; i < 10; i++) policy.gaveUp(true);
  assert.deepEqual([policy.mostBlocks(true), policy.mostBlocks(false)], [2, Infinity]);
});

Deno.test("KvMap keeps little of prompts that never come again", () => {
  const kv = mapOf();
  for (let n = 0; n < 20; n++) run(kv, unique(n));
  assert.equal(kv.counts().cached, 40, "at first all of it");
  for (let n = 20; n < 100; n++) run(kv, unique(n));
  assert.ok(kv.counts().cached <= 5, `${kv.counts().cached} blocks`);
  assert.equal(run(kv, unique(99)), 2, "the newest are there still");
});

Deno.test("KvMap keeps all that fits where prompts come again", () => {
  const kv = mapOf();
  for (let n = 0; n < 400; n++) run(kv, unique(n % 15));
  assert.equal(kv.counts().cached, 30);
});

Deno.test("KvMap keeps the head that many prompts share, whatever becomes of their tails", () => {
  const kv = mapOf();
  const head = Array.from({ length: 8 * blockSize }, (_, i) => 5000 + i);
  let found = 0;
  for (let n = 0; n < 200; n++) found += run(kv, [...head, ...unique(n)]) >= 8 ? 1 : 0;
  assert.equal(found, 199);
  assert.ok(kv.counts().cached <= 8 + 2 + 5, `${kv.counts().cached} blocks`);
});
