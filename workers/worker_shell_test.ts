import assert from "node:assert/strict";
import {
  bytesOfU32s,
  decode,
  decodeKvEvents,
  decodeStepFrame,
  limits,
  modelHashOf,
  streamKeyText,
  xxh64,
} from "@pixii/wire";
import type { KvEvent, StepEntry } from "@pixii/wire";
import { sha256Hex } from "./digest.ts";
import { ids, keyOf, ShellDesk } from "./shell_testing.ts";

function entryOf(reply: Uint8Array): StepEntry {
  const frame = decodeStepFrame(reply);
  assert.ok(frame.ok);
  assert.equal(frame.value.entries.length, 1);
  return frame.value.entries[0];
}

function codeOf(reply: Uint8Array): string {
  const refusal = decode("refusal", reply);
  assert.ok(refusal.ok, "the reply is a refusal");
  return refusal.value.error.code;
}

const long = { stop: { maxTokens: 900, minTokens: 0, stopTokenIds: [], ignoreEos: false } };

Deno.test("WorkerShell runs a stream: accepted first, then frames in order, one end", async () => {
  await using desk = await ShellDesk.sim();
  assert.equal(await desk.generate(1), "accepted");
  await desk.clock.advance(1000);
  const { tokens, ends, gaps } = desk.of(1);
  assert.deepEqual([tokens.length, gaps], [20, []]);
  assert.deepEqual(ends, [{ reason: "length", outputTokens: 20 }]);
  assert.equal(desk.frames.length, 20, "one frame a step");
  assert.deepEqual(desk.frames[0].entries[0].extra?.cached, { device: 0, host: 0, disk: 0 });
  assert.deepEqual(desk.frames[5].entries[0].extra, undefined);
  const text = await desk.metrics.text();
  assert.match(text, /pixii_worker_output_tokens_total 20/);
  assert.match(text, /pixii_worker_prompt_tokens_total 40/);
  assert.match(text, /pixii_worker_finished_total{reason="length"} 1/);
});

Deno.test("WorkerShell runs a stream that is asked for twice once", async () => {
  await using desk = await ShellDesk.sim();
  const replies = [1, 1, 1].map((stream) => desk.generate(stream));
  assert.deepEqual(await Promise.all(replies), ["accepted", "accepted", "accepted"]);
  await desk.clock.advance(100);
  assert.equal(await desk.generate(1), "accepted");
  await desk.clock.advance(1000);
  assert.equal(await desk.generate(1), "accepted", "also after its end, while it is kept");
  await desk.clock.advance(1000);
  assert.deepEqual([desk.of(1).tokens.length, desk.of(1).ends.length], [20, 1]);
});

Deno.test("WorkerShell does not run what was cancelled before it came", async () => {
  await using desk = await ShellDesk.sim();
  desk.tell({ op: "cancel", ...keyOf(1) });
  desk.tell({ op: "cancel", ...keyOf(99) });
  assert.equal(await desk.generate(1), "cancelled");
  await desk.clock.advance(1000);
  assert.equal(desk.frames.length, 0);
});

Deno.test("WorkerShell ends a cancelled stream once, within one step, and refuses it afterwards", async () => {
  await using desk = await ShellDesk.sim();
  await desk.generate(1, long);
  await desk.clock.advance(100);
  desk.tell({ op: "cancel", ...keyOf(1) });
  desk.tell({ op: "cancel", ...keyOf(1) });
  await desk.clock.advance(20);
  const { tokens, ends } = desk.of(1);
  assert.deepEqual(ends, [{ reason: "cancelled", outputTokens: tokens.length }]);
  await desk.clock.advance(1000);
  desk.tell({ op: "cancel", ...keyOf(1) });
  assert.equal(await desk.generate(1), "cancelled");
  assert.equal(desk.of(1).ends.length, 1);
});

Deno.test("WorkerShell cancels a stream that nobody renews within two seconds and a look", async () => {
  await using desk = await ShellDesk.sim();
  await desk.generate(1, long);
  await desk.clock.advance(limits.renewLostMs);
  assert.equal(desk.of(1).ends.length, 0);
  await desk.clock.advance(300);
  assert.deepEqual(desk.of(1).ends.map((end) => end.reason), ["cancelled"]);
  assert.match(await desk.metrics.text(), /pixii_worker_streams_expired_total 1/);
  await using kept = await ShellDesk.sim();
  using _renewing = kept.renewing();
  await kept.generate(1, long);
  await kept.clock.advance(3000);
  assert.equal(kept.of(1).ends.length, 0);
});

Deno.test("WorkerShell cancels a stream whose time is over, renewed or not", async () => {
  await using desk = await ShellDesk.sim();
  using _renewing = desk.renewing();
  await desk.generate(1, { ...long, remainingMs: 1000 });
  await desk.clock.advance(900);
  assert.equal(desk.of(1).ends.length, 0);
  await desk.clock.advance(500);
  assert.deepEqual(desk.of(1).ends.map((end) => end.reason), ["cancelled"]);
});

Deno.test("WorkerShell resumes a stream from an index as long as it is not acknowledged", async () => {
  await using desk = await ShellDesk.sim();
  await desk.generate(1);
  await desk.clock.advance(1000);
  const { tokens } = desk.of(1);
  const whole = entryOf(await desk.control({ op: "resume", ...keyOf(1), fromIndex: 0 }));
  assert.deepEqual([[...whole.tokens], whole.firstIndex], [tokens, 0]);
  assert.equal(whole.extra?.end?.reason, "length");
  const rest = entryOf(await desk.control({ op: "resume", ...keyOf(1), fromIndex: 15 }));
  assert.deepEqual([...rest.tokens], tokens.slice(15));
  desk.tell({ op: "renew", frontend: ids.frontend, streams: [[1, 10]] });
  const resume = (fromIndex: number, stream = 1) =>
    desk.control({ op: "resume", ...keyOf(stream), fromIndex });
  assert.equal(codeOf(await resume(9)), "stream_unknown");
  assert.equal(entryOf(await resume(10)).tokens.length, 10);
  assert.equal(codeOf(await resume(21)), "stream_unknown");
  assert.equal(codeOf(await resume(0, 2)), "stream_unknown");
});

Deno.test("WorkerShell sends what a frontend missed: after a lost frame, and after a lost connection", async () => {
  await using desk = await ShellDesk.sim();
  await desk.generate(1);
  await desk.clock.advance(50);
  desk.workerBus.disconnect();
  await desk.clock.advance(1000);
  desk.workerBus.reconnect();
  const seen = desk.of(1).tokens.length;
  assert.ok(seen > 0 && seen < 20 && desk.of(1).ends.length === 0);
  using _renewing = desk.renewing();
  await desk.clock.advance(1100);
  assert.deepEqual([desk.of(1).tokens.length, desk.of(1).ends.length], [20, 1]);
  assert.match(await desk.metrics.text(), /pixii_worker_step_frames_lost_total [1-9]/);
  assert.match(await desk.metrics.text(), /pixii_worker_resumes_total{cause="renew"} 1/);
});

Deno.test("WorkerShell refuses what is not for it, each with its code", async () => {
  await using desk = await ShellDesk.sim({ ranks: 2, maxSeqs: 1, maxWaiting: 1 });
  assert.equal(await desk.generate(1, { model: "another" }), "model_not_found");
  assert.equal(await desk.generate(2, { dpRank: 2 }), "no_worker");
  assert.equal(await desk.generate(3, { remainingMs: 0 }), "timeout");
  assert.equal(await desk.generate(4, { tokens: new Uint8Array() }), "invalid_request");
  assert.equal(await desk.generate(5, { adapter: "x" }), "unsupported_parameter");
  assert.equal(await desk.generate(6, { tokens: new Uint8Array(4096) }), "context_length_exceeded");
  const garbage = await desk.ask(desk.subjects.generate(ids.worker), new Uint8Array([1, 16, 9]));
  assert.equal(codeOf(garbage), "decode_error");
  const other = await desk.ask(desk.subjects.control(ids.worker), new Uint8Array([1, 19, 9]));
  assert.equal(codeOf(other), "decode_error");
  assert.equal(await desk.generate(10), "accepted");
  assert.equal(await desk.generate(11), "accepted");
  assert.equal(await desk.generate(12), "overloaded");
  assert.equal(
    await desk.generate(12, { dpRank: 1 }),
    "accepted",
    "a refused stream may come again",
  );
  await desk.clock.advance(1000);
  assert.deepEqual([10, 11, 12].map((stream) => desk.of(stream).ends.length), [1, 1, 1]);
});

Deno.test("WorkerShell serves its artifact in parts that add up to the card's digest", async () => {
  await using desk = await ShellDesk.sim();
  const card = desk.engines[0].card();
  const part = async (offset: number, digest = card.artifactDigest) =>
    await desk.control({ op: "artifact", digest, offset });
  const first = decode("part", await part(0));
  assert.ok(first.ok);
  assert.equal(first.value.totalBytes, card.artifactBytes);
  assert.equal(await sha256Hex(first.value.data), card.artifactDigest);
  const rest = decode("part", await part(100));
  assert.ok(rest.ok);
  assert.deepEqual([...rest.value.data], [...first.value.data.subarray(100)]);
  assert.equal(codeOf(await part(0, "no")), "not_found");
  assert.equal(codeOf(await part(card.artifactBytes + 1)), "invalid_request");
});

Deno.test("WorkerShell that shuts down refuses snapshots and audits, also those that wait for its step", async () => {
  await using desk = await ShellDesk.sim();
  await desk.generate(1, long);
  await desk.clock.advance(1);
  const list = { hi: new Uint8Array(4), lo: new Uint8Array(4) };
  const audit = { op: "audit", model: modelHashOf("m"), dpRank: 0, tier: "device" } as const;
  // A step runs: both wait for its end.
  const asked = [desk.control({ op: "snapshot" }), desk.control({ ...audit, ...list })];
  await desk.clock.advance(0.5);
  await desk.shell[Symbol.asyncDispose]();
  await desk.clock.advance(1);
  for (const reply of await Promise.all(asked)) {
    const refusal = decode("refusal", reply);
    assert.ok(refusal.ok, "nobody was told anything else");
    assert.equal(refusal.value.error.code, "draining");
  }
  assert.deepEqual(desk.lines.filter(({ level }) => level === "error"), []);
});

Deno.test("WorkerShell tells each rank's blocks by events, and by a snapshot that says their number", async () => {
  await using desk = await ShellDesk.sim({ ranks: 3 });
  using _renewing = desk.renewing();
  for (let stream = 1; stream <= 6; stream++) {
    await desk.generate(stream, { ...long, dpRank: stream % 3 });
  }
  await desk.clock.advance(400);
  for (const dpRank of [0, 1, 2]) {
    const batches = desk.kvBatches.filter((batch) => batch.dpRank === dpRank);
    assert.deepEqual(batches.map((batch) => batch.number), batches.map((_, i) => i + 1));
    const asked = desk.control({ op: "snapshot", dpRank });
    await desk.clock.advance(10);
    const head = decode("snapshotHead", await asked);
    assert.ok(head.ok);
    const { id, number, totalBytes, digest } = head.value;
    const part = decode("part", await desk.control({ op: "snapshot-part", id, offset: 0 }));
    assert.ok(part.ok);
    assert.deepEqual([part.value.totalBytes, await sha256Hex(part.value.data)], [
      ...[totalBytes, digest],
    ]);
    const frozen = decodeKvEvents(part.value.data);
    assert.ok(frozen.ok);
    assert.equal(frozen.value.dpRank, dpRank);
    const told = desk.kvBatches.filter((one) => one.dpRank === dpRank && one.number <= number);
    assert.deepEqual(blocksOf([frozen.value]), blocksOf(told));
  }
  const refused = async (more: Record<string, unknown>) =>
    codeOf(await desk.control({ op: "snapshot", ...more }));
  assert.equal(await refused({ dpRank: 3 }), "not_found");
  assert.equal(await refused({ tier: "host" }), "not_found");
  assert.equal(await refused({ model: "0".repeat(16) }), "not_found");
  const gone = await desk.control({ op: "snapshot-part", id: 999, offset: 0 });
  assert.equal(codeOf(gone), "not_found");
});

Deno.test("WorkerShell answers audits by rank: what its events told as of the number it names", async () => {
  await using desk = await ShellDesk.sim({ ranks: 2 });
  using _renewing = desk.renewing();
  for (let stream = 1; stream <= 4; stream++) {
    await desk.generate(stream, { ...long, dpRank: stream % 2 });
  }
  await desk.clock.advance(400);
  const { model, owner } = desk.kvBatches[0];
  for (const dpRank of [0, 1]) {
    const stored = desk.kvBatches.filter((batch) => batch.dpRank === dpRank)
      .flatMap(({ events }) => events).find((event) => event.op === "stored")!;
    assert.ok(stored.op === "stored");
    const hi = bytesOfU32s(Uint32Array.of(stored.hi[0], 1));
    const lo = bytesOfU32s(Uint32Array.of(stored.lo[0], 2));
    const ask = { op: "audit" as const, model, dpRank, tier: "device" as const, hi, lo };
    const asked = desk.control(ask);
    await desk.clock.advance(10);
    const answer = decode("auditAnswer", await asked);
    assert.ok(answer.ok);
    assert.deepEqual([answer.value.epoch, ...answer.value.held], [owner, 1, 0]);
    assert.ok(answer.value.number > 0);
    assert.equal(codeOf(await desk.control({ ...ask, tier: "host" })), "not_found");
    assert.equal(codeOf(await desk.control({ ...ask, dpRank: 7 })), "not_found");
    const uneven = await desk.control({ ...ask, hi: new Uint8Array() });
    assert.equal(codeOf(uneven), "invalid_request");
  }
  const peer = await desk.control({ op: "peer-snapshot", from: owner });
  assert.equal(codeOf(peer), "not_found");
});

function blocksOf(batches: readonly { readonly events: readonly KvEvent[] }[]): string[] {
  const blocks = new Map<number, string>();
  for (const event of batches.flatMap(({ events }) => events)) {
    if (event.op === "removed") { for (const number of event.numbers) blocks.delete(number); }
    else if (event.op === "stored") {
      event.numbers.forEach((number, i) => blocks.set(number, `${event.hi[i]},${event.lo[i]}`));
    }
  }
  return [...blocks].map(([number, hash]) => `${number} ${hash}`).sort();
}

Deno.test("WorkerShell reports each rank's load four times a second and soon after a change", async () => {
  await using desk = await ShellDesk.sim({ ranks: 2 });
  desk.loads.length = 0;
  await desk.clock.advance(1000);
  assert.deepEqual(desk.loads.map((load) => load.dpRank), [0, 1, 0, 1, 0, 1, 0, 1]);
  await desk.clock.advance(100);
  await desk.generate(1, { ...long, dpRank: 1 });
  await desk.generate(2, { ...long, dpRank: 1 });
  const before = desk.loads.length;
  await desk.clock.advance(25);
  assert.equal(desk.loads.length, before + 1, "one report of the rank that changed");
  const load = desk.loads.at(-1)!;
  assert.deepEqual([load.dpRank, load.activeStreams, load.running + load.waiting], [1, 2, 2]);
  const hashes = [1, 2].map((stream) =>
    xxh64(new TextEncoder().encode(streamKeyText(keyOf(stream))))
  );
  assert.equal(load.activeDigestHi, (hashes[0].hi ^ hashes[1].hi) >>> 0);
  assert.equal(load.activeDigestLo, (hashes[0].lo ^ hashes[1].lo) >>> 0);
  desk.tell({ op: "cancel", ...keyOf(1) });
  desk.tell({ op: "cancel", ...keyOf(2) });
  await desk.clock.advance(300);
  const rest = desk.loads.findLast((one) => one.dpRank === 1)!;
  assert.deepEqual([rest.activeStreams, rest.activeDigestHi, rest.activeDigestLo], [0, 0, 0]);
  assert.ok(rest.kvEventNumber > 0 && rest.stepCount > 0);
});

Deno.test("WorkerShell sends one frame a step and frontend, over all ranks that step together", async () => {
  await using desk = await ShellDesk.sim({ ranks: 4, speed: Infinity });
  for (let stream = 1; stream <= 8; stream++) {
    const frontend = stream % 2 === 0 ? ids.other : ids.frontend;
    await desk.generate(stream, {
      frontend,
      dpRank: stream % 4,
      stop: { ...long.stop, maxTokens: 5 },
    });
  }
  await desk.clock.advance(0);
  const sizes = desk.frames.map(({ frontend, entries }) => `${frontend} ${entries.length}`);
  const wanted = Array.from({ length: 5 }, () => [`${ids.frontend} 4`, `${ids.other} 4`]).flat();
  assert.deepEqual(sizes.sort(), wanted.sort());
  for (let stream = 1; stream <= 8; stream++) {
    const frontend = stream % 2 === 0 ? ids.other : ids.frontend;
    assert.deepEqual(desk.of(stream, frontend).ends.length, 1);
  }
});

Deno.test("WorkerShell drains: refuses new streams, finishes its own, and says so", async () => {
  await using desk = await ShellDesk.sim({ ranks: 2 });
  await desk.generate(1, { dpRank: 1 });
  const drained = desk.shell.drain(new AbortController().signal);
  assert.equal(desk.shell.health().status, "draining");
  await desk.clock.advance(0);
  assert.equal(desk.loads.at(-1)?.draining, true);
  assert.equal(await desk.generate(2), "draining");
  assert.equal(await desk.generate(1, { dpRank: 1 }), "accepted", "a known stream goes on");
  await desk.clock.advance(1000);
  await drained;
  assert.deepEqual([desk.of(1).tokens.length, desk.of(1).ends.length], [20, 1]);
});

Deno.test("WorkerShell ends its streams when it is told to hurry, and when it is closed", async () => {
  await using desk = await ShellDesk.sim();
  await desk.generate(1, long);
  await desk.clock.advance(100);
  const stop = new AbortController();
  const drained = desk.shell.drain(stop.signal);
  stop.abort();
  await desk.clock.advance(20);
  await drained;
  assert.deepEqual(desk.of(1).ends.map((end) => end.reason), ["cancelled"]);
  await using closed = await ShellDesk.sim({ ranks: 2 });
  await closed.generate(1, long);
  await closed.generate(2, { ...long, dpRank: 1 });
  await closed.clock.advance(100);
  await closed.shell[Symbol.asyncDispose]();
  await closed.clock.advance(0);
  for (const stream of [1, 2]) {
    assert.deepEqual(closed.of(stream).ends.map((end) => end.error?.code), ["draining"]);
  }
  assert.equal(closed.clock.waiting, 0, "no timer is left");
});

Deno.test("200 ranks behind one shell run 400 streams to their ends", async () => {
  await using desk = await ShellDesk.sim({ ranks: 200, speed: 1, maxSeqs: 2 });
  using _renewing = desk.renewing();
  for (let stream = 0; stream < 400; stream++) {
    assert.equal(await desk.generate(stream, { dpRank: stream % 200 }), "accepted");
  }
  await desk.clock.advance(1500);
  for (let stream = 0; stream < 400; stream++) {
    const { tokens, ends, gaps } = desk.of(stream);
    assert.deepEqual([tokens.length, ends.length, gaps.length], [20, 1, 0]);
  }
  assert.ok(desk.frames.length < 400 * 20, "ranks that step together share frames");
  assert.equal(new Set(desk.loads.map((load) => load.dpRank)).size, 200);
});
