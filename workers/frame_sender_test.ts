import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeStepFrame, limits } from "@pixii/wire";
import type { InstanceId, StepEntry, StepFrame, TokenLogprob } from "@pixii/wire";
import { FrameSender } from "./frame_sender.ts";
import { publishing, recordOf, worker } from "./publish_testing.ts";

const frontends = ["0000000000000001", "0000000000000002"] as InstanceId[];

function framesOf(messages: readonly Uint8Array[]): StepFrame[] {
  return messages.map((bytes) => {
    assert.ok(bytes.byteLength <= limits.messageBytes, `${bytes.byteLength} bytes`);
    const frame = decodeStepFrame(bytes);
    assert.ok(frame.ok, JSON.stringify(frame));
    assert.equal(frame.value.worker, worker);
    return frame.value;
  });
}

function senderOf() {
  const world = publishing();
  const sender = new FrameSender({ ...world.ports, worker });
  return {
    ...world,
    sender,
    inboxes: frontends.map((one) => world.hear(world.subjects.inbox(one))),
  };
}

const logprob = (id: number): TokenLogprob => ({
  logprob: -1 - id,
  top: Array.from({ length: 20 }, (_, i) => [id + i, -i - 0.123456789]),
});

/** All that the frames say of one stream, in order, as if it were one entry. */
function joined(frames: readonly StepFrame[], tag: number): StepEntry {
  const entries = frames.flatMap((frame) => frame.entries).filter((entry) => entry.tag === tag);
  const tokens: number[] = [];
  for (const entry of entries) {
    assert.equal(entry.firstIndex, entries[0].firstIndex + tokens.length, "no gap, no repeat");
    tokens.push(...entry.tokens);
  }
  const logprobs = entries.flatMap((entry) => entry.extra?.logprobs ?? []);
  const ends = entries.map((entry) => entry.extra?.end);
  assert.ok(ends.slice(0, -1).every((end) => end === undefined), "the end is on the last entry");
  const cached = entries.map((entry) => entry.extra?.cached);
  assert.ok(cached.slice(1).every((one) => one === undefined), "the counts are on the first");
  const extra = { cached: cached[0], logprobs, end: ends.at(-1) };
  return { ...entries[0], tokens, extra };
}

Deno.test("FrameSender sends one message per step and frontend, all its streams inside", async () => {
  const { sender, inboxes, settle, metrics } = senderOf();
  for (let tag = 1; tag <= 10; tag++) {
    const entry = { firstIndex: tag, tokens: [tag, tag + 1], extra: undefined };
    sender.add(recordOf(tag, frontends[tag % 2]), entry, 7);
  }
  await settle();
  assert.deepEqual(inboxes.map((inbox) => inbox.length), [0, 0], "nothing before send()");
  sender.send();
  sender.send();
  await settle();
  for (const [i, inbox] of inboxes.entries()) {
    const [frame, ...more] = framesOf(inbox);
    assert.equal(more.length, 0);
    assert.equal(frame.step, 7);
    assert.deepEqual(
      frame.entries.map((entry) => [entry.tag, entry.firstIndex, ...entry.tokens]),
      [2, 4, 6, 8, 10].map((even) => even - i).map((tag) => [tag, tag, tag, tag + 1]),
    );
    assert.ok(frame.entries.every((entry) => !entry.accepted && entry.extra === undefined));
  }
  assert.match(await metrics.text(), /pixii_worker_step_frames_total\S* 2\n/);
});

Deno.test("FrameSender splits what does not fit a message, and nothing is lost, repeated or reordered", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ tokens: fc.integer({ min: 0, max: 70_000 }), logprobs: fc.boolean() }),
        { minLength: 1, maxLength: 6 },
      ),
      async (streams) => {
        const { sender, inboxes, settle } = senderOf();
        const entries = streams.map(({ tokens: count, logprobs }, i) => {
          const length = logprobs ? count % 2_500 : count;
          return {
            firstIndex: 3 * i,
            tokens: Array.from({ length }, (_, k) => k),
            extra: {
              cached: { device: i, host: 0, disk: 0 },
              logprobs: Array.from({ length: logprobs ? length : 0 }, (_, k) => logprob(k % 7)),
              end: { reason: "length" as const, outputTokens: length },
            },
          };
        });
        entries.forEach((entry, i) => sender.add(recordOf(i, frontends[0]), entry, 9));
        sender.send();
        await settle();
        const frames = framesOf(inboxes[0]);
        entries.forEach((entry, i) => {
          const got = joined(frames, i);
          assert.deepEqual([...got.tokens], entry.tokens);
          assert.deepEqual(got.extra?.logprobs, entry.extra.logprobs);
          assert.deepEqual(got.extra?.cached, entry.extra.cached);
          assert.deepEqual(got.extra?.end, entry.extra.end);
        });
      },
    ),
    { numRuns: 8 },
  );
});

Deno.test("FrameSender.single() gives frame 0, and of a stream too long for a message the beginning", () => {
  const { sender } = senderOf();
  const record = recordOf(5, frontends[0]);
  const empty = { firstIndex: 0, tokens: [], extra: undefined };
  const accepted = sender.single(record, empty, { accepted: true, step: 3 });
  const [first] = framesOf([accepted]);
  assert.deepEqual([first.step, first.entries.length, first.entries[0].accepted], [3, 1, true]);
  const logprobs = Array.from({ length: 3_000 }, (_, i) => logprob(i));
  const end = { reason: "length" as const, outputTokens: 3_000 };
  const long = { firstIndex: 10, tokens: logprobs.map((_, i) => i), extra: { logprobs, end } };
  const [part] = framesOf([sender.single(record, long, { accepted: false, step: 4 })]);
  const [entry] = part.entries;
  assert.ok(entry.tokens.length > 500 && entry.tokens.length < 3_000);
  assert.equal(entry.extra?.logprobs?.length, entry.tokens.length);
  assert.equal(entry.extra?.end, undefined, "the end comes when all before it is there");
  assert.deepEqual(framesOf([accepted])[0], first, "an earlier reply is a copy");
});

Deno.test("FrameSender counts what the bus does not take, and goes on", async () => {
  const { sender, bus, metrics } = senderOf();
  await bus[Symbol.asyncDispose]();
  const record = recordOf(1, frontends[0]);
  sender.add(record, { firstIndex: 0, tokens: [1], extra: undefined }, 1);
  sender.send();
  assert.match(await metrics.text(), /pixii_worker_step_frames_lost_total\S* 1\n/);
  sender.add(record, { firstIndex: 1, tokens: [2], extra: undefined }, 2);
  sender.send();
  assert.match(await metrics.text(), /pixii_worker_step_frames_lost_total\S* 2\n/);
});

Deno.test("FrameSender forgets the buffers of frontends that have gone, never an open one", async () => {
  const { sender, inboxes, settle } = senderOf();
  const [one, two] = frontends.map((frontend, i) => recordOf(i, frontend));
  const say = (record: typeof one, step: number) =>
    sender.add(record, { firstIndex: 0, tokens: [step], extra: undefined }, step);
  say(one, 1);
  sender.send();
  say(two, 2);
  sender.prune(() => false);
  say(one, 2);
  sender.send();
  await settle();
  assert.deepEqual(inboxes.map((inbox) => framesOf(inbox).map((frame) => frame.step)), [[1, 2], [
    2,
  ]]);
});
