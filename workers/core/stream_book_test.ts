import assert from "node:assert/strict";
import fc from "fast-check";
import { streamKeyText, xxh64 } from "@pixii/wire";
import type { InstanceId, RequestId } from "@pixii/wire";
import { StreamBook } from "./stream_book.ts";
import type { StreamRecord } from "./stream_book.ts";

const frontend = "0123456789abcdef" as InstanceId;
const limits = { renewLostMs: 2000, keepMs: 30_000, tombstones: 8 };
const keyOf = (n: number) => ({
  requestId: n.toString(16).padStart(32, "0") as RequestId,
  attempt: 0,
  leg: 0,
});

function admitted(book: StreamBook, n: number, emitted = 0): StreamRecord {
  const admission = book.admit({ key: keyOf(n), tag: n, frontend, emitted }, 0);
  assert.equal(admission.kind, "new");
  return (admission as { record: StreamRecord }).record;
}

function say(record: StreamRecord, firstIndex: number, tokens: number[], end = false) {
  return {
    stream: record.stream,
    firstIndex,
    tokens,
    extra: end
      ? { end: { reason: "length" as const, outputTokens: firstIndex + tokens.length } }
      : undefined,
  };
}

Deno.test("admit() finds the same stream again and refuses a cancelled key", () => {
  const book = new StreamBook(limits);
  const record = admitted(book, 1);
  assert.deepEqual(book.admit({ key: keyOf(1), tag: 1, frontend, emitted: 0 }, 0), {
    kind: "duplicate",
    record,
  });
  book.cancel(keyOf(2));
  assert.equal(book.admit({ key: keyOf(2), tag: 2, frontend, emitted: 0 }, 0).kind, "cancelled");
  assert.equal(book.live, 1);
});

Deno.test("renew() names a stream whose frontend stands still while tokens wait", () => {
  const book = new StreamBook(limits);
  const record = admitted(book, 1, 5);
  book.emit(say(record, 5, [10, 11]), 0);
  assert.deepEqual(book.renew(frontend, [[1, 5]], 100), []);
  assert.deepEqual(book.renew(frontend, [[1, 5]], 600), [record]);
  assert.deepEqual(book.resume(record, 5)?.tokens, [10, 11]);
  assert.deepEqual(book.renew(frontend, [[1, 7]], 1100), []);
  assert.deepEqual(record.tokens, []);
  assert.equal(book.resume(record, 5), undefined, "acknowledged tokens are gone");
  assert.deepEqual(book.resume(record, 7)?.tokens, []);
});

Deno.test("renew() names an ended stream whose end was lost, until it is read", () => {
  const book = new StreamBook(limits);
  const record = admitted(book, 1);
  book.emit(say(record, 0, [1], true), 0);
  book.renew(frontend, [[1, 1]], 100);
  assert.deepEqual(book.renew(frontend, [[1, 1]], 600), [record]);
  assert.equal(book.resume(record, 1)?.extra?.end?.reason, "length");
});

Deno.test("expire() cancels what nobody renews and forgets what ended", () => {
  const book = new StreamBook(limits);
  const record = admitted(book, 1);
  assert.deepEqual(book.expire(2000), []);
  assert.deepEqual(book.expire(2001), [record]);
  book.emit(say(record, 0, [1], true), 2001);
  book.expire(32_000);
  assert.ok(book.find(keyOf(1)) !== undefined, "kept for resume");
  book.expire(32_002);
  assert.equal(book.find(keyOf(1)), undefined);
});

Deno.test("drop() and re-admission never leave a stale tag", () => {
  const book = new StreamBook(limits);
  book.drop(admitted(book, 1));
  assert.equal(book.live, 0);
  assert.deepEqual(book.renew(frontend, [[1, 0]], 0), []);
  admitted(book, 1);
});

Deno.test("resume() has nothing to add for a reader who has the first token from who computed the prompt", () => {
  const book = new StreamBook(limits);
  const record = admitted(book, 1);
  const nothing = { firstIndex: 1, tokens: [], extra: undefined };
  assert.deepEqual(book.resume(record, 1), nothing);
  assert.equal(book.resume(record, 2), undefined);
  book.emit(say(record, 0, [7, 8]), 0);
  assert.deepEqual(book.resume(record, 1)?.tokens, [8]);
});

Deno.test("resume() always continues exactly where the reader is, whatever was acknowledged", () => {
  fc.assert(fc.property(
    fc.array(
      fc.oneof(fc.record({ emit: fc.integer({ min: 1, max: 4 }) }), fc.record({ read: fc.nat(5) })),
    ),
    fc.nat(10),
    (steps, emitted) => {
      const book = new StreamBook(limits);
      const record = admitted(book, 1, emitted);
      let next = emitted;
      let readTo = emitted;
      for (const step of steps) {
        if ("emit" in step) {
          const tokens = Array.from({ length: step.emit }, (_, i) => next + i);
          book.emit(say(record, next, tokens), 0);
          next += step.emit;
        } else {
          readTo = Math.min(next, readTo + step.read);
          book.renew(frontend, [[1, readTo]], 0);
        }
        const rest = book.resume(record, readTo);
        assert.deepEqual(rest?.tokens, Array.from({ length: next - readTo }, (_, i) => readTo + i));
      }
    },
  ));
});

Deno.test("active() keeps each rank's count and digest through admission, end and drop", () => {
  const book = new StreamBook(limits);
  const hash = (n: number) => xxh64(new TextEncoder().encode(streamKeyText(keyOf(n))));
  const admit = (n: number, rank: number) => {
    const admission = book.admit({ key: keyOf(n), tag: n, frontend, emitted: 0, rank }, 0);
    assert.ok(admission.kind === "new");
    return admission.record;
  };
  const records = [admit(1, 0), admit(2, 1), admit(3, 1)];
  assert.deepEqual(book.active(1), {
    streams: 2,
    digestHi: (hash(2).hi ^ hash(3).hi) >>> 0,
    digestLo: (hash(2).lo ^ hash(3).lo) >>> 0,
  });
  assert.deepEqual([...book.liveOf(1)], records.slice(1));
  book.emit(say(records[1], 0, [1], true), 0);
  book.drop(records[1]);
  book.drop(records[2]);
  assert.deepEqual(book.active(1), { streams: 0, digestHi: 0, digestLo: 0 });
  assert.deepEqual([book.live, book.active(0).streams], [1, 1]);
  assert.ok(book.knows(frontend));
});

Deno.test("expire() gives up a stream whose time is over, and says it once", () => {
  const book = new StreamBook(limits);
  const request = { key: keyOf(1), tag: 1, frontend, emitted: 0, remainingMs: 500 };
  book.admit(request, 100);
  assert.deepEqual(book.expire(600), []);
  assert.equal(book.expire(601).length, 1);
  assert.deepEqual(book.expire(9999), []);
});
