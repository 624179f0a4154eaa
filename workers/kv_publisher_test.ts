import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decode, decodeKvEvents, fail, limits, ok } from "@pixii/wire";
import type { Failure, KvEvent, KvEventBatch, SnapshotHead } from "@pixii/wire";
import type { Engine } from "./engine.ts";
import { KvPublisher, partOf } from "./kv_publisher.ts";
import { card, publishing, worker } from "./publish_testing.ts";

/** A run of new blocks. */
function stored(parent: number, first: number, count = 1): KvEvent {
  const numbers = Uint32Array.from({ length: count }, (_, i) => first + i);
  return { op: "stored", parent, numbers, hi: numbers.map((n) => n * 3), lo: numbers.slice() };
}

/** An engine of which only the snapshot is asked. */
function snapshotOnly(step: number, kvEvents: readonly KvEvent[]): Engine {
  return { snapshot: () => Promise.resolve(ok({ step, kvEvents })) } as unknown as Engine;
}

function publisherOf(options: { dpRank?: number; dpSize?: number } = {}) {
  const world = publishing();
  const { dpRank = 0, dpSize = 1 } = options;
  const publisher = new KvPublisher({ ...world.ports, card: { ...card, dpSize }, dpRank });
  return { ...world, publisher, heard: world.hear(world.subjects.kvEvents(worker)) };
}

function batchesOf(messages: readonly Uint8Array[]): KvEventBatch[] {
  return messages.map((bytes) => {
    assert.ok(bytes.byteLength <= limits.messageBytes, `${bytes.byteLength} bytes`);
    const batch = decodeKvEvents(bytes);
    assert.ok(batch.ok, JSON.stringify(batch));
    return batch.value;
  });
}

function headOf(bytes: Uint8Array | Failure): SnapshotHead {
  assert.ok(bytes instanceof Uint8Array, JSON.stringify(bytes));
  const head = decode("snapshotHead", bytes);
  assert.ok(head.ok, JSON.stringify(head));
  return head.value;
}

/** A snapshot fetched in its parts, checked against its digest. */
function fetched(publisher: KvPublisher, head: SnapshotHead): KvEventBatch {
  const whole = new Uint8Array(head.totalBytes);
  let parts = 0;
  for (let at = 0; at < whole.length; parts++) {
    const bytes = publisher.part(head.id, at);
    assert.ok(bytes.ok, JSON.stringify(bytes));
    assert.ok(bytes.value.byteLength <= limits.messageBytes);
    const part = decode("part", bytes.value);
    assert.ok(part.ok && part.value.offset === at && part.value.totalBytes === whole.length);
    whole.set(part.value.data, at);
    at += part.value.data.byteLength;
  }
  assert.equal(parts, Math.ceil(whole.length / limits.partBytes));
  assert.equal(createHash("sha256").update(whole).digest("hex"), head.digest);
  const batch = decodeKvEvents(whole, limits.assembledBytes);
  assert.ok(batch.ok);
  return batch.value;
}

Deno.test("KvPublisher numbers its batches 1, 2, 3 and says nothing for a step without events", async () => {
  const { publisher, heard, settle } = publisherOf({ dpRank: 1, dpSize: 2 });
  publisher.publish(1, []);
  publisher.publish(2, [stored(0, 1, 3)]);
  publisher.publish(3, []);
  publisher.publish(5, [{ op: "removed", numbers: Uint32Array.of(3) }, { op: "cleared" }]);
  await settle();
  const batches = batchesOf(heard);
  assert.deepEqual(batches.map((batch) => batch.number), [1, 2]);
  assert.equal(publisher.number, 2);
  const { owner, epoch, dpRank, tier, blockSize, model } = batches[0];
  assert.deepEqual({ owner, epoch, dpRank, tier, blockSize, model }, {
    owner: worker,
    epoch: worker,
    dpRank: 1,
    tier: "device",
    blockSize: card.blockSize,
    model: card.hash,
  });
  assert.deepEqual(batches[0].events, [stored(0, 1, 3)]);
  assert.deepEqual(batches[1].events.map((event) => event.op), ["removed", "cleared"]);
});

Deno.test("KvPublisher splits a step's events into batches that fit, in order, runs included", async () => {
  const { publisher, heard, settle } = publisherOf();
  const many = Array.from({ length: 5_000 }, (_, i) => stored(0, i + 1));
  const long = stored(7, 10_001, 40_000);
  const gone: KvEvent = {
    op: "removed",
    numbers: Uint32Array.from({ length: 50_000 }, (_, i) => i),
  };
  publisher.publish(1, [...many, long, gone]);
  await settle();
  const batches = batchesOf(heard);
  assert.deepEqual(batches.map((batch) => batch.number), batches.map((_, i) => i + 1));
  assert.ok(batches.length > 5);
  const events = batches.flatMap((batch) => batch.events);
  assert.deepEqual(events.slice(0, 5_000), many);
  const runs = events.slice(5_000).filter((event) => event.op === "stored");
  assert.deepEqual(runs.flatMap((run) => [...run.numbers]), [
    ...long.op === "stored" ? long.numbers : [],
  ]);
  let parent = 7;
  for (const run of runs) {
    assert.equal(run.parent, parent, "a piece goes on where the one before ended");
    assert.deepEqual([...run.hi], [...run.numbers].map((n) => n * 3));
    parent = run.numbers.at(-1)!;
  }
  const removed = events.filter((event) => event.op === "removed");
  assert.deepEqual(removed.flatMap((event) => [...event.numbers]), [...gone.numbers]);
});

Deno.test("KvPublisher dates a snapshot by its step: later batches are not in it", async () => {
  const { publisher } = publisherOf();
  publisher.publish(1, [stored(0, 1)]);
  publisher.publish(2, []);
  publisher.publish(3, [stored(1, 2)]);
  publisher.publish(4, [stored(2, 3)]);
  const numberAt = async (step: number) =>
    headOf(await publisher.freeze(snapshotOnly(step, []))).number;
  assert.deepEqual([await numberAt(0), await numberAt(1), await numberAt(2)], [0, 1, 1]);
  assert.deepEqual([await numberAt(3), await numberAt(4)], [2, 3]);
});

Deno.test("KvPublisher waits for the step of a snapshot that is ahead of it", async () => {
  const { publisher } = publisherOf();
  publisher.publish(1, [stored(0, 1)]);
  let frozen = false;
  const freezing = publisher.freeze(snapshotOnly(3, [stored(0, 1, 2)])).then((bytes) => {
    frozen = true;
    return headOf(bytes);
  });
  publisher.publish(2, []);
  await Promise.resolve();
  assert.ok(!frozen);
  publisher.publish(3, [stored(1, 2)]);
  publisher.publish(4, [stored(2, 3)]);
  assert.equal((await freezing).number, 2);
});

Deno.test("KvPublisher gives a snapshot up whose step never comes", async () => {
  const { publisher, clock } = publisherOf();
  const freezing = publisher.freeze(snapshotOnly(9, []));
  await clock.advance(10_001);
  const refused = await freezing;
  assert.ok("code" in refused && refused.code === "timeout", JSON.stringify(refused));
  assert.match(refused.message, /step 9 does not come/);
});

Deno.test("KvPublisher tells who waits for a snapshot or an audit that no step follows, and who comes later", async () => {
  const { publisher, clock } = publisherOf();
  const engine = snapshotOnly(9, [stored(0, 1)]);
  const list = { hi: Uint32Array.of(3), lo: Uint32Array.of(1) };
  const asked = [publisher.freeze(engine), publisher.audit(engine, list)];
  await clock.advance(1);
  publisher.end(fail("draining", "Cannot freeze: the worker shuts down").error);
  asked.push(publisher.freeze(engine), publisher.audit(engine, list));
  for (const refused of await Promise.all(asked)) {
    assert.ok("code" in refused && refused.code === "draining", JSON.stringify(refused));
  }
  assert.equal(clock.waiting, 0);
  // What was told before can still be frozen.
  const head = headOf(await publisher.freeze(snapshotOnly(0, [])));
  assert.equal(head.number, 0);
});

Deno.test("KvPublisher serves a frozen snapshot in parts with its digest, whatever happens meanwhile", async () => {
  const { publisher } = publisherOf();
  publisher.publish(1, [stored(0, 1)]);
  const blocks = [stored(0, 1, 60_000), stored(5, 70_000, 30_000)];
  const head = headOf(await publisher.freeze(snapshotOnly(1, blocks)));
  publisher.publish(2, [{ op: "cleared" }]);
  assert.equal(head.epoch, worker);
  const batch = fetched(publisher, head);
  assert.equal(batch.number, head.number);
  assert.deepEqual(batch.events, blocks);
  assert.deepEqual(
    fetched(publisher, headOf(await publisher.freeze(snapshotOnly(2, [])))).events,
    [],
  );
});

Deno.test("KvPublisher keeps few snapshots and not for long; ids say the rank", async () => {
  const { publisher, clock } = publisherOf({ dpRank: 1, dpSize: 4 });
  const heads: SnapshotHead[] = [];
  for (let step = 1; step <= 5; step++) {
    publisher.publish(step, [stored(0, step)]);
    heads.push(headOf(await publisher.freeze(snapshotOnly(step, []))));
  }
  assert.ok(heads.every((head) => head.id % 4 === 1));
  const oldest = publisher.part(heads[0].id, 0);
  assert.ok(!oldest.ok && oldest.error.code === "not_found");
  assert.ok(publisher.part(heads[4].id, 0).ok);
  await clock.advance(30_001);
  await publisher.freeze(snapshotOnly(5, []));
  assert.ok(!publisher.part(heads[4].id, 0).ok);
});

Deno.test("partOf() gives the rest at its end and refuses an offset behind it", () => {
  const whole = new Uint8Array(10);
  const end = partOf(whole, 10);
  assert.ok(end.ok);
  const part = decode("part", end.value);
  assert.ok(part.ok && part.value.data.byteLength === 0);
  const over = partOf(whole, 11);
  assert.ok(!over.ok && over.error.code === "invalid_request");
});

Deno.test("KvPublisher answers an audit as of a batch, and all who ask at once by one look", async () => {
  const { publisher } = publisherOf();
  let looks = 0;
  const run = stored(0, 1, 3);
  const engine = {
    snapshot: () => {
      looks += 1;
      return Promise.resolve(ok({ step: 2, kvEvents: [run] }));
    },
  } as unknown as Engine;
  publisher.publish(1, [run]);
  publisher.publish(2, []);
  publisher.publish(3, [stored(3, 4)]);
  const list = { hi: Uint32Array.of(3, 6, 12), lo: Uint32Array.of(1, 2, 4) };
  const asked = Array.from({ length: 20 }, () => publisher.audit(engine, list));
  const answers = await Promise.all(asked);
  assert.equal(looks, 1);
  const refused = answers.filter((answer) => !(answer instanceof Uint8Array));
  assert.deepEqual(refused.map((answer) => "code" in answer && answer.code), [
    ...Array(4).fill("rate_limited"),
  ]);
  const answer = decode("auditAnswer", answers[0] as Uint8Array);
  assert.ok(answer.ok);
  assert.deepEqual([answer.value.epoch, answer.value.number], [worker, 1]);
  assert.deepEqual([...answer.value.held], [1, 1, 0]);
});

Deno.test("KvPublisher gives a flood of snapshot requests one snapshot, and a new one after a change", async () => {
  const { publisher } = publisherOf();
  publisher.publish(1, [stored(0, 1)]);
  const engine = snapshotOnly(1, [stored(0, 1)]);
  const heads = await Promise.all(Array.from({ length: 50 }, () => publisher.freeze(engine)));
  heads.push(await publisher.freeze(engine));
  assert.equal(new Set(heads.map((head) => headOf(head).id)).size, 1);
  publisher.publish(2, [stored(1, 2)]);
  const next = await publisher.freeze(snapshotOnly(2, [stored(0, 1, 2)]));
  assert.deepEqual([headOf(next).number, headOf(next).id === headOf(heads[0]).id], [2, false]);
});
