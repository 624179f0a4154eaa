import { subjects } from "@pixii/wire";
import type { InstanceId, ModelCard, ModelHash, RequestId } from "@pixii/wire";
import { createMetrics, MemoryHub, recordingLog, VirtualClock } from "@pixii/runtime";
import { StreamBook } from "./core/stream_book.ts";
import type { StreamRecord } from "./core/stream_book.ts";
import { workerMetrics } from "./metrics.ts";

/** The worker of these tests. */
export const worker = "00000000000000aa" as InstanceId;

/** A card like any other. */
export const card: ModelCard = {
  name: "m",
  hash: "00000000000000cc" as ModelHash,
  instance: worker,
  engine: "llama",
  role: "both",
  modelDigest: "",
  contextLength: 1024,
  blockSize: 4,
  totalBlocks: 100,
  kvBytesPerToken: 1,
  layoutFingerprint: "",
  reuse: "blocks",
  dpSize: 1,
  tpSize: 1,
  slidingWindow: 0,
  maxSeqs: 4,
  vocabSize: 100,
  artifactDigest: "",
  artifactBytes: 0,
  eosTokenIds: [],
  createdAt: 0,
};

/** A worker's ports on a bus in memory, and what a listener on it hears. */
export function publishing() {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, log: recordingLog("bus", []) });
  const bus = hub.connect();
  const metrics = createMetrics("worker");
  const names = subjects("test");
  const listener = hub.connect();
  return {
    clock,
    bus,
    metrics,
    subjects: names,
    /** All messages on a subject from now on. */
    hear(subject: string): Uint8Array[] {
      const heard: Uint8Array[] = [];
      listener.subscribe(subject, ({ payload }) => heard.push(payload.slice()));
      return heard;
    },
    /** Everything published until now is delivered. */
    settle: async () => {
      await bus.flush();
      await listener.flush();
    },
    ports: { bus, clock, subjects: names, metrics: workerMetrics(metrics) },
  };
}

/** A stream of a frontend, as the shell's book has it. */
export function recordOf(tag: number, frontend: InstanceId): StreamRecord {
  const book = new StreamBook({ renewLostMs: 1, keepMs: 1, tombstones: 1 });
  const key = { requestId: tag.toString(16).padStart(32, "0") as RequestId, attempt: 0, leg: 0 };
  const request = { key, tag, frontend, emitted: 0, rank: 0, remainingMs: 1000 };
  const admitted = book.admit(request, 0);
  if (admitted.kind !== "new") throw new Error("a fresh stream is new");
  return admitted.record;
}
