import { sampleTransfers } from "./block_transfer_testing.ts";
import { encode, messageNames } from "./codec.ts";
import type { Message } from "./codec.ts";
import { encodeGenerateRequest } from "./generate_request.ts";
import { encodeKvEvents } from "./kv_events.ts";
import { encodeLedgerBatch } from "./ledger_batch.ts";
import { plainCrc32 } from "./plain_crc32_testing.ts";
import { encodeRouteRequest } from "./route_request.ts";
import { sampleMessages } from "./sample_messages_testing.ts";
import { instance, key, model, worker } from "./sample_parts_testing.ts";
import { sampleRecords } from "./sample_records_testing.ts";
import { StepFrameWriter } from "./step_frame.ts";
import { layoutHash } from "./store_key.ts";
import { encodeStoreRows } from "./store_rows.ts";
import { payloadOffset, writeStoredBlock } from "./stored_block.ts";

const moreControls: Readonly<Record<string, Message<"control">>> = {
  route: { op: "cancel-route", ...key },
  audit: {
    ...{ op: "audit", model, dpRank: 1, tier: "host" },
    ...{ hi: new Uint8Array([1, 0, 0, 0]), lo: new Uint8Array([2, 0, 0, 0]) },
  },
  peer: { op: "peer-snapshot", from: instance },
  role: { op: "role", id: "d7", role: "prefill", reason: "prompts wait", boundMs: 30_000 },
  handover: { op: "handover", ...key, word: "lost" },
  prefetch: {
    ...{ op: "prefetch", model, from: instance, remainingMs: 5_000 },
    ...{ hi: new Uint8Array([1, 0, 0, 0]), lo: new Uint8Array([2, 0, 0, 0]) },
  },
};

/** Other forms of messages, in MessagePack: golden file name without its ending, and bytes. */
const moreMessages: readonly (readonly [string, Uint8Array])[] = [
  [
    "generateRequest.rank.v1",
    encode("generateRequest", { ...sampleMessages.generateRequest, dpRank: 3 }),
  ],
  [
    "loadReport.flip.v1",
    encode("loadReport", {
      ...sampleMessages.loadReport,
      flip: { id: "d7", to: "decode", state: "flipping" },
    }),
  ],
  [
    "demandReport.served.v1",
    encode("demandReport", {
      frontend: instance,
      models: [{
        ...{ model, booked: 1, prefillTokens: 64, completed: 1, firstTokens: 1, ttftSumMs: 12.5 },
        served: {
          ...{ streams: 1, promptTokens: 64, cachedTokens: 0, outputTokens: 16 },
          ...{ ttft: [[14, 1]], itl: [[9, 1]] },
        },
      }],
    }),
  ],
  [
    "demandReport.waiting.v1",
    encode("demandReport", {
      frontend: instance,
      models: [{
        ...{ model, booked: 0, prefillTokens: 0, completed: 0, firstTokens: 0, ttftSumMs: 0 },
        waiting: 3,
      }],
    }),
  ],
  [
    "routeHints.queue.v1",
    encode("routeHints", {
      ...{ session: "s", sessionMode: "hard", sessionTtlMs: 60_000, adapter: "a", tenant: "t" },
      ...{ require: ["zone=a"], tolerate: ["*"], queueMs: 500, prefillWorker: instance },
      weights: { "kv.temperature": 0.5 },
    }),
  ],
  ["routeReply.queued.v1", encode("routeReply", { kind: "queued", router: instance, ahead: 3 })],
  [
    "routeReply.prefill.v1",
    encode("routeReply", {
      ...{ kind: "decision", worker, overlap: { device: 2, host: 1, disk: 0 }, blockSize: 64 },
      record: new Uint8Array([1]),
      prefill: { worker, overlap: { device: 0, host: 0, disk: 0 } },
    }),
  ],
  [
    "routeNotice.answer.v1",
    encode("routeNotice", { kind: "answer", router: instance, ...key, reply: new Uint8Array([1]) }),
  ],
  [
    "routeHints.client.v1",
    encode("routeHints", { ...sampleMessages.routeHints, clientId: "my-id.7" }),
  ],
  [
    "ledgerBatch.outcome.v1",
    encode("ledgerBatch", {
      from: instance,
      entries: [
        { op: "first-token", ...key, cachedTokens: 128 },
        { op: "complete", ...key, outputTokens: 16, reason: "length" },
      ],
    }),
  ],
];

/** Messages in forms of their own. */
const packed: readonly (readonly [string, Uint8Array])[] = [
  ["generateRequest.v2", encodeGenerateRequest({ ...sampleMessages.generateRequest, dpRank: 3 })],
  [
    "generateRequest.split.v2",
    encodeGenerateRequest({
      ...sampleMessages.generateRequest,
      handover: { part: "take", kvbm: instance },
    }),
  ],
  [
    "generateRequest.holder.v2",
    encodeGenerateRequest({
      ...sampleMessages.generateRequest,
      holder: { kvbm: instance, first: 1, end: 9 },
    }),
  ],
  [
    "routeRequest.v1",
    encodeRouteRequest({
      ...key,
      frontend: instance,
      isl: 130,
      maxTokens: 16,
      remainingMs: 60_000,
      hashes: [{
        blockSize: 64,
        list: { hi: new Uint32Array([1, 2]), lo: new Uint32Array([3, 0xffffffff]) },
      }],
      hints: sampleMessages.routeHints,
    }),
  ],
  [
    "ledgerBatch.v2",
    encodeLedgerBatch({
      from: instance,
      entries: [
        ...sampleMessages.ledgerBatch.entries,
        { op: "first-token", ...key, cachedTokens: 128 },
        { op: "complete", ...key, outputTokens: 16, reason: "length" },
      ],
    }),
  ],
  [
    "kvEvents.v1",
    encodeKvEvents({
      owner: instance,
      epoch: instance,
      model,
      dpRank: 1,
      tier: "host",
      cacheGroup: 0,
      blockSize: 64,
      number: 4_294_967_297,
      events: [
        {
          op: "stored",
          parent: 4,
          numbers: new Uint32Array([5, 6]),
          hi: new Uint32Array([1, 2]),
          lo: new Uint32Array([3, 4]),
        },
        { op: "removed", numbers: new Uint32Array([4]) },
        { op: "cleared" },
      ],
    }),
  ],
  [
    "storeRows.v1",
    encodeStoreRows({
      op: "commit",
      arg: 9,
      words: new Uint32Array([1, 2, 0xffffffff, 3, 4, 5, 2, 6, 7, 0, 0, 0]),
    }),
  ],
  ["storedBlock.v1", sampleStoredBlock()],
  ["stepFrame.v1", sampleStepFrame()],
];

/** Bytes (or text, for registry records) of one sample of every message kind, by golden file name. */
export function sampleBytes(): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const name of messageNames) files.set(`${name}.v1.bin`, encode(name, sampleMessages[name]));
  for (const [name, bytes] of [...moreMessages, ...packed]) files.set(`${name}.bin`, bytes);
  for (const [name, message] of Object.entries(moreControls)) {
    files.set(`control.${name}.v1.bin`, encode("control", message));
  }
  for (const [op, bytes] of sampleTransfers(plainCrc32)) {
    files.set(`blockTransfer.${op}.v1.bin`, bytes);
  }
  const text = new TextEncoder();
  for (const [name, record] of sampleRecords) files.set(`${name}.v1.json`, text.encode(record));
  return files;
}

function sampleStepFrame(): Uint8Array {
  const writer = new StepFrameWriter();
  writer.begin(instance, 77);
  writer.add({ tag: 7, firstIndex: 3, tokens: [100, 200], extra: undefined });
  writer.add({ tag: 8, firstIndex: 0, tokens: [], extra: undefined, accepted: true });
  writer.add({ tag: 9, firstIndex: 1, tokens: [1, 2], extra: sampleMessages.entryExtra });
  return writer.finish().slice();
}

/** A stored block of two tokens and five bytes of payload. */
function sampleStoredBlock(): Uint8Array {
  const payload = new Uint8Array([1, 2, 3, 4, 5]);
  const bytes = new Uint8Array(payloadOffset(2) + payload.length);
  writeStoredBlock(bytes, {
    key: { route: { hi: 1, lo: 2 }, layout: layoutHash("f") },
    parent: { hi: 3, lo: 4 },
    index: 7,
    tokens: new Uint32Array([5, 0xffffffff]),
    scope: new Uint8Array(32).fill(9),
    decoded: true,
    payloadBytes: payload.length,
    payloadCrc: plainCrc32(payload),
  }, plainCrc32);
  bytes.set(payload, payloadOffset(2));
  return bytes;
}
