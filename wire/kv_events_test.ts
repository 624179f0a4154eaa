import assert from "node:assert/strict";
import {
  decodeKvEvents,
  encodeKvEvents,
  idWords,
  KvEventsHead,
  kvEventsHeadBytes,
} from "./kv_events.ts";
import type { KvEventBatch } from "./kv_events.ts";
import { limits } from "./limits.ts";
import type { InstanceId, ModelHash } from "./ids.ts";

const batch: KvEventBatch = {
  ...{ owner: "0123456789abcdef" as InstanceId, epoch: "00000000000000ff" as InstanceId },
  ...{ model: "fedcba9876543210" as ModelHash, dpRank: 300, tier: "host", cacheGroup: 2 },
  ...{ blockSize: 64, number: 2 ** 40 + 7, events: [] },
};

Deno.test("a batch may hold more events than its count can say", () => {
  for (const count of [65_534, 65_535, 65_536, 70_000]) {
    const events = Array.from({ length: count }, () => ({ op: "cleared" as const }));
    const bytes = encodeKvEvents({ ...batch, events }, limits.assembledBytes);
    const decoded = decodeKvEvents(bytes, limits.assembledBytes);
    assert.ok(decoded.ok);
    assert.equal(decoded.value.events.length, count);
    const cut = decodeKvEvents(bytes.subarray(0, bytes.length - 4), limits.assembledBytes);
    assert.equal(cut.ok, false);
  }
});

Deno.test("KvEventsHead reads what decodeKvEvents reads", () => {
  const head = new KvEventsHead();
  const bytes = encodeKvEvents({ ...batch, events: [{ op: "cleared" }] });
  assert.equal(head.read(bytes), true);
  assert.deepEqual([head.owner, head.model], [idWords(batch.owner), idWords(batch.model)]);
  assert.deepEqual(head.epoch, idWords(batch.epoch));
  assert.deepEqual([head.dpRank, head.tier, head.cacheGroup], [300, 1, 2]);
  assert.deepEqual([head.blockSize, head.number, head.ops], [64, 2 ** 40 + 7, 1]);
  for (const [at, value] of [[0, 9], [1, 9], [2, 4], [35, 1]]) {
    const wrong = bytes.slice();
    wrong[at] = value;
    assert.equal(head.read(wrong), false, `byte ${at}`);
  }
  assert.equal(head.read(bytes.subarray(0, kvEventsHeadBytes - 1)), false);
});
