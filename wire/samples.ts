import { sampleTransfers } from "./block_transfer_testing.ts";
import type { Message, MessageName } from "./codec.ts";
import { encode, messageNames } from "./codec.ts";
import { encodeGenerateRequest } from "./generate_request.ts";
import type { InstanceId, ModelHash, RequestId } from "./ids.ts";
import { encodeKvEvents } from "./kv_events.ts";
import { encodeLedgerBatch } from "./ledger_batch.ts";
import type { ModelCard } from "./presence.ts";
import { encodeRecord } from "./record.ts";
import { encodeRouteRequest } from "./route_request.ts";
import { StepFrameWriter } from "./step_frame.ts";
import { layoutHash } from "./store_key.ts";
import { encodeStoreRows } from "./store_rows.ts";
import { payloadOffset, writeStoredBlock } from "./stored_block.ts";
import { sampleProfile } from "./worker_profile_testing.ts";

const requestId = "00112233445566778899aabbccddeeff" as RequestId;
const instance = "0123456789abcdef" as InstanceId;
const model = "fedcba9876543210" as ModelHash;
const key = { requestId, attempt: 1, leg: 2 };
const worker = { instance, dpRank: 0 };

const sampleRecord: Message<"decisionRecord"> = {
  ...key,
  model: "org/name",
  policy: "kv",
  router: instance,
  atMs: 12.5,
  isl: 200,
  blockSize: 64,
  candidates: [{
    worker,
    overlap: { device: 2, host: 1, disk: 0 },
    terms: { prefill: 1.25, decode: 3 },
    cost: 4.25,
  }],
  eligible: 1,
  chosen: worker,
  chance: [0.5],
  stateVersion: 99,
};

/** One value of every MessagePack message, with every optional field set: what golden files and fuzz tests start from. */
export const sampleMessages: { readonly [Name in MessageName]: Message<Name> } = {
  generateRequest: {
    ...key,
    tag: 7,
    frontend: instance,
    model: "org/name",
    tokens: new Uint8Array([1, 0, 0, 0, 2, 1, 0, 0]),
    emitted: 1,
    choice: 1,
    sampling: {
      seedHi: 1,
      seedLo: 0xffffffff,
      temperature: 0.7,
      topK: 40,
      topP: 0.95,
      minP: 0.05,
      presencePenalty: -0.5,
      frequencyPenalty: 0.5,
      repetitionPenalty: 1.1,
      logitBias: [[5, -100]],
      logprobs: 2,
    },
    stop: { maxTokens: 16, minTokens: 0, stopTokenIds: [2], ignoreEos: false },
    tenantSalt: "t",
    adapter: "",
    priority: -1,
    remainingMs: 60_000,
  },
  refusal: { error: { code: "overloaded", message: "full", param: "n", retryAfterMs: 100 } },
  entryExtra: {
    cached: { device: 64, host: 0, disk: 0 },
    logprobs: [{ logprob: -0.5, top: [[9, -0.5], [3, -1.25]] }, { logprob: null, top: [] }],
    end: {
      reason: "error",
      stopToken: 2,
      error: { code: "engine_failed", message: "no" },
      outputTokens: 3,
    },
  },
  control: { op: "renew", frontend: instance, streams: [[7, 3], [8, 0]] },
  part: { offset: 524_224, totalBytes: 600_000, data: new Uint8Array([1, 2, 3]) },
  snapshotHead: { id: 3, epoch: instance, number: 12, totalBytes: 44, digest: "ab".repeat(32) },
  sessionBatch: { sessions: [{ model, session: "s", worker, leftMs: 60_000 }] },
  kvHeartbeat: {
    ...{ owner: instance, epoch: instance, tier: "host" },
    streams: [{ model, dpRank: 0, blockSize: 64, number: 2 ** 40 + 7 }],
  },
  auditAnswer: { epoch: instance, number: 12, held: new Uint8Array([1, 0, 1]) },
  routeReply: {
    kind: "decision",
    worker,
    overlap: { device: 2, host: 1, disk: 0 },
    blockSize: 64,
    record: encode("decisionRecord", sampleRecord),
  },
  decisionRecord: sampleRecord,
  routeNotice: { kind: "waiting", router: instance, streams: [key] },
  routeHints: {
    worker: instance,
    dpRank: 0,
    policy: "direct",
    priority: 5,
    session: "s",
    allow: [instance],
    deny: [],
  },
  ledgerBatch: {
    from: instance,
    entries: [
      { op: "book", ...key, model, worker, frontend: instance, prefillTokens: 72, blocks: 4 },
      { op: "first-token", ...key },
      { op: "complete", ...key },
    ],
  },
  demandReport: {
    frontend: instance,
    models: [{
      ...{ model, booked: 3, prefillTokens: 1_500, completed: 2, firstTokens: 2, ttftSumMs: 40.5 },
    }],
  },
  loadReport: {
    instance,
    dpRank: 0,
    model,
    role: "both",
    draining: false,
    running: 1,
    waiting: 2,
    maxSeqs: 8,
    prefillTokens: 300,
    activeBlocks: 4,
    cachedBlocks: 6,
    totalBlocks: 128,
    stepCount: 1000,
    stepAgeMs: 3.5,
    kvEventNumber: 12,
    activeStreams: 3,
    activeDigestHi: 1,
    activeDigestLo: 2,
    prefillRate: 220.5,
    decodeRate: 144,
  },
  roleFlip: { id: "d7", to: "prefill", state: "gave-up", reason: "3 streams still ran" },
  storeHello: {
    instance,
    pid: 42,
    processStart: "123456",
    model,
    layoutFingerprint: "f",
    blockSize: 64,
    blockBytes: 1_476_456,
  },
  storeWelcome: {
    kvbm: instance,
    path: "/dev/shm/pool",
    poolBytes: 536_870_912,
    pageBytes: 4096,
    slotBytes: 1_478_656,
    mostReserved: 16,
  },
};

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

/** Bytes (or text, for registry records) of one sample of every message kind, by golden file name. */
export function sampleBytes(): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const name of messageNames) files.set(`${name}.v1.bin`, encode(name, sampleMessages[name]));
  files.set(
    "generateRequest.rank.v1.bin",
    encode("generateRequest", { ...sampleMessages.generateRequest, dpRank: 3 }),
  );
  files.set(
    "generateRequest.v2.bin",
    encodeGenerateRequest({ ...sampleMessages.generateRequest, dpRank: 3 }),
  );
  files.set(
    "generateRequest.split.v2.bin",
    encodeGenerateRequest({
      ...sampleMessages.generateRequest,
      handover: { part: "take", kvbm: instance },
    }),
  );
  files.set(
    "generateRequest.holder.v2.bin",
    encodeGenerateRequest({
      ...sampleMessages.generateRequest,
      holder: { kvbm: instance, first: 1, end: 9 },
    }),
  );
  files.set(
    "loadReport.flip.v1.bin",
    encode("loadReport", {
      ...sampleMessages.loadReport,
      flip: { id: "d7", to: "decode", state: "flipping" },
    }),
  );
  files.set(
    "demandReport.served.v1.bin",
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
  );
  files.set(
    "desired.v1.json",
    new TextEncoder().encode(encodeRecord("desired", {
      ...{ instance, id: "d7", role: "prefill", reason: "prompts wait" },
      ...{ by: "0123456789abcdef", boundMs: 30_000 },
    })),
  );
  files.set(
    "planOrder.v1.json",
    new TextEncoder().encode(encodeRecord("planOrder", {
      ...{ id: "o1", kind: "pin", reason: "debugging", by: "operator", model: "org/name" },
      counts: { prefill: 1, decode: 3, both: 0 },
      ...{ givenAt: "2026-01-01T00:00:00Z", forMs: 3_600_000 },
    })),
  );
  const givenAt = "2026-01-01T00:00:00Z";
  files.set(
    "planOrder.worker.v1.json",
    new TextEncoder().encode(encodeRecord("planOrder", {
      ...{ id: "o2", kind: "veto", reason: "benchmarking", by: "operator" },
      ...{ move: "stop", instance, givenAt, forMs: 600_000 },
    })),
  );
  files.set(
    "planOrder.decision.v1.json",
    new TextEncoder().encode(encodeRecord("planOrder", {
      ...{ id: "o3", kind: "veto", reason: "not today", by: "operator", model: "org/name" },
      ...{ counts: { prefill: 2, decode: 2, both: 0 }, decision: `${instance}.17` },
      ...{ givenAt, forMs: 600_000 },
    })),
  );
  files.set(
    "scale.v1.json",
    new TextEncoder().encode(encodeRecord("scale", {
      ...{ id: "d8", model: "org/name", workers: 3, startRole: "decode", stop: [instance] },
      ...{ reason: "fewer are enough", by: "0123456789abcdef" },
    })),
  );
  files.set(
    "scale.asleep.v1.json",
    new TextEncoder().encode(encodeRecord("scale", {
      ...{ id: "d9", model: "org/name", workers: 0, startRole: "both", stop: [instance] },
      ...{ reason: "nobody asked", by: "0123456789abcdef", card: sampleCard },
    })),
  );
  files.set(
    "demandReport.waiting.v1.bin",
    encode("demandReport", {
      frontend: instance,
      models: [{
        ...{ model, booked: 0, prefillTokens: 0, completed: 0, firstTokens: 0, ttftSumMs: 0 },
        waiting: 3,
      }],
    }),
  );
  files.set("leader.v1.json", new TextEncoder().encode(encodeRecord("leader", { instance })));
  files.set(
    "routeRequest.v1.bin",
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
  );
  files.set(
    "routeHints.queue.v1.bin",
    encode("routeHints", {
      ...{ session: "s", sessionMode: "hard", sessionTtlMs: 60_000, adapter: "a", tenant: "t" },
      ...{ require: ["zone=a"], tolerate: ["*"], queueMs: 500, prefillWorker: instance },
      weights: { "kv.temperature": 0.5 },
    }),
  );
  files.set(
    "routeReply.queued.v1.bin",
    encode("routeReply", { kind: "queued", router: instance, ahead: 3 }),
  );
  files.set(
    "routeReply.prefill.v1.bin",
    encode("routeReply", {
      ...{ kind: "decision", worker, overlap: { device: 2, host: 1, disk: 0 }, blockSize: 64 },
      record: new Uint8Array([1]),
      prefill: { worker, overlap: { device: 0, host: 0, disk: 0 } },
    }),
  );
  files.set(
    "routeNotice.answer.v1.bin",
    encode("routeNotice", { kind: "answer", router: instance, ...key, reply: new Uint8Array([1]) }),
  );
  files.set(
    "routeHints.client.v1.bin",
    encode("routeHints", { ...sampleMessages.routeHints, clientId: "my-id.7" }),
  );
  files.set(
    "ledgerBatch.outcome.v1.bin",
    encode("ledgerBatch", {
      from: instance,
      entries: [
        { op: "first-token", ...key, cachedTokens: 128 },
        { op: "complete", ...key, outputTokens: 16, reason: "length" },
      ],
    }),
  );
  files.set(
    "ledgerBatch.v2.bin",
    encodeLedgerBatch({
      from: instance,
      entries: [
        ...sampleMessages.ledgerBatch.entries,
        { op: "first-token", ...key, cachedTokens: 128 },
        { op: "complete", ...key, outputTokens: 16, reason: "length" },
      ],
    }),
  );
  const writer = new StepFrameWriter();
  writer.begin(instance, 77);
  writer.add({ tag: 7, firstIndex: 3, tokens: [100, 200], extra: undefined });
  writer.add({ tag: 8, firstIndex: 0, tokens: [], extra: undefined, accepted: true });
  writer.add({ tag: 9, firstIndex: 1, tokens: [1, 2], extra: sampleMessages.entryExtra });
  files.set("stepFrame.v1.bin", writer.finish().slice());
  files.set(
    "kvEvents.v1.bin",
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
  );
  files.set(
    "storeRows.v1.bin",
    encodeStoreRows({
      op: "commit",
      arg: 9,
      words: new Uint32Array([1, 2, 0xffffffff, 3, 4, 5, 2, 6, 7, 0, 0, 0]),
    }),
  );
  files.set("storedBlock.v1.bin", sampleStoredBlock());
  const text = new TextEncoder();
  files.set(
    "instance.v1.json",
    text.encode(encodeRecord("instance", {
      service: "router",
      instance,
      pid: 42,
      host: "h",
      admin: "http://127.0.0.1:1",
      version: "0.1.0",
      status: "ready",
    })),
  );
  files.set("model.v1.json", text.encode(encodeRecord("model", sampleCard)));
  files.set(
    "model.probe.v1.json",
    text.encode(encodeRecord("model", { ...sampleCard, hashProbe: "ef", kvEvents: false })),
  );
  files.set(
    "model.labels.v1.json",
    text.encode(encodeRecord("model", {
      ...sampleCard,
      ...{ labels: ["zone=a"], taints: ["batch"], adapters: ["a"] },
    })),
  );
  for (const [name, message] of Object.entries(moreControls)) {
    files.set(`control.${name}.v1.bin`, encode("control", message));
  }
  files.set(
    "model.profile.v1.json",
    text.encode(encodeRecord("model", { ...sampleCard, profile: sampleProfile })),
  );
  files.set(
    "kvbm.v1.json",
    text.encode(encodeRecord("kvbm", {
      instance,
      host: "h",
      pid: 42,
      socket: "/tmp/k.sock",
      poolBytes: 536_870_912,
    })),
  );
  files.set(
    "kvbm.data.v1.json",
    text.encode(encodeRecord("kvbm", {
      ...{ instance, host: "h", pid: 42, socket: "/tmp/k.sock", poolBytes: 536_870_912 },
      data: "10.0.0.7:7070",
    })),
  );
  for (const [op, bytes] of sampleTransfers(plainCrc32)) {
    files.set(`blockTransfer.${op}.v1.bin`, bytes);
  }
  return files;
}

/** What a worker serves, without what only some have. */
const sampleCard: ModelCard = {
  name: "org/name",
  hash: model,
  instance,
  engine: "llama",
  role: "both",
  modelDigest: "ab",
  contextLength: 8192,
  blockSize: 64,
  totalBlocks: 128,
  kvBytesPerToken: 23_040,
  layoutFingerprint: "f",
  reuse: "blocks",
  dpSize: 1,
  tpSize: 1,
  slidingWindow: 0,
  maxSeqs: 8,
  vocabSize: 49_152,
  artifactDigest: "cd",
  artifactBytes: 10,
  eosTokenIds: [2],
  kvbm: instance,
  createdAt: 1_700_000_000,
};

/** CRC-32 (ISO-HDLC) bit by bit: slow, and all a sample needs. */
export function plainCrc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
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
