import assert from "node:assert/strict";
import { decodeLedgerBatch } from "@pixii/wire";
import type { InstanceId, LedgerEntry, RequestId } from "@pixii/wire";
import { createMetrics, MemoryHub, recordingLog, VirtualClock } from "@pixii/runtime";
import { generationMetrics } from "./generation_metrics.ts";
import { LedgerWriter } from "./ledger_writer.ts";

const requestId = "00112233445566778899aabbccddeeff" as RequestId;

function open() {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, log: recordingLog() });
  const bus = hub.connect();
  const batches: number[][] = [];
  hub.connect().subscribe("ledger", ({ payload }) => {
    const batch = decodeLedgerBatch(payload);
    assert.ok(batch.ok);
    batches.push(batch.value.entries.map((entry: LedgerEntry) => entry.attempt));
  });
  const ledger = new LedgerWriter({
    ...{ bus, clock, subject: "ledger", from: "0123456789abcdef" as InstanceId },
    metrics: generationMetrics(createMetrics("frontend", {})),
  });
  const add = (attempt: number) => ledger.add({ op: "complete", requestId, attempt, leg: 0 });
  return { clock, bus, batches, ledger, add };
}

Deno.test("a ledger writer sends what came within 1 ms as one batch", async () => {
  const { clock, batches, add } = open();
  for (const attempt of [1, 2, 3]) add(attempt);
  await clock.advance(0.9);
  assert.deepEqual(batches, []);
  await clock.advance(0.2);
  assert.deepEqual(batches, [[1, 2, 3]]);
  assert.equal(clock.waiting, 0);
});

Deno.test("a ledger writer sends a full batch at once", async () => {
  const { clock, batches, add } = open();
  for (let attempt = 0; attempt < 300; attempt++) add(attempt);
  await clock.advance(0);
  assert.deepEqual(batches.map((batch) => batch.length), [256]);
  await clock.advance(1);
  assert.deepEqual(batches.map((batch) => batch.length), [256, 44]);
});

Deno.test("a ledger writer keeps its entries, in order, while the bus is away", async () => {
  const { clock, bus, batches, ledger, add } = open();
  bus.disconnect();
  for (let attempt = 0; attempt < 600; attempt++) add(attempt);
  await clock.advance(100);
  bus.reconnect();
  ledger.flush();
  await clock.advance(0);
  assert.deepEqual(batches.flat(), Array.from({ length: 600 }, (_, i) => i));
  assert.equal(batches.length, 3);
});
