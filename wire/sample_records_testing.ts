import { encodeRecord } from "./record.ts";
import { instance, sampleCard } from "./sample_parts_testing.ts";
import { sampleProfile } from "./worker_profile_testing.ts";

const givenAt = "2026-01-01T00:00:00Z";

/** Samples of every registry record: golden file name without its version, and text. */
export const sampleRecords: readonly (readonly [string, string])[] = [
  [
    "desired",
    encodeRecord("desired", {
      ...{ instance, id: "d7", role: "prefill", reason: "prompts wait" },
      ...{ by: "0123456789abcdef", boundMs: 30_000 },
    }),
  ],
  [
    "planOrder",
    encodeRecord("planOrder", {
      ...{ id: "o1", kind: "pin", reason: "debugging", by: "operator", model: "org/name" },
      counts: { prefill: 1, decode: 3, both: 0 },
      ...{ givenAt, forMs: 3_600_000 },
    }),
  ],
  [
    "planOrder.worker",
    encodeRecord("planOrder", {
      ...{ id: "o2", kind: "veto", reason: "benchmarking", by: "operator" },
      ...{ move: "stop", instance, givenAt, forMs: 600_000 },
    }),
  ],
  [
    "planOrder.decision",
    encodeRecord("planOrder", {
      ...{ id: "o3", kind: "veto", reason: "not today", by: "operator", model: "org/name" },
      ...{ counts: { prefill: 2, decode: 2, both: 0 }, decision: `${instance}.17` },
      ...{ givenAt, forMs: 600_000 },
    }),
  ],
  [
    "scale",
    encodeRecord("scale", {
      ...{ id: "d8", model: "org/name", workers: 3, startRole: "decode", stop: [instance] },
      ...{ reason: "fewer are enough", by: "0123456789abcdef" },
    }),
  ],
  [
    "scale.asleep",
    encodeRecord("scale", {
      ...{ id: "d9", model: "org/name", workers: 0, startRole: "both", stop: [instance] },
      ...{ reason: "nobody asked", by: "0123456789abcdef", card: sampleCard },
    }),
  ],
  ["leader", encodeRecord("leader", { instance })],
  [
    "instance",
    encodeRecord("instance", {
      service: "router",
      instance,
      pid: 42,
      host: "h",
      admin: "http://127.0.0.1:1",
      version: "0.1.0",
      status: "ready",
    }),
  ],
  ["model", encodeRecord("model", sampleCard)],
  ["model.probe", encodeRecord("model", { ...sampleCard, hashProbe: "ef", kvEvents: false })],
  [
    "model.labels",
    encodeRecord("model", {
      ...sampleCard,
      ...{ labels: ["zone=a"], taints: ["batch"], adapters: ["a"] },
    }),
  ],
  ["model.profile", encodeRecord("model", { ...sampleCard, profile: sampleProfile })],
  [
    "kvbm",
    encodeRecord("kvbm", {
      instance,
      host: "h",
      pid: 42,
      socket: "/tmp/k.sock",
      poolBytes: 536_870_912,
    }),
  ],
  [
    "kvbm.data",
    encodeRecord("kvbm", {
      ...{ instance, host: "h", pid: 42, socket: "/tmp/k.sock", poolBytes: 536_870_912 },
      data: "10.0.0.7:7070",
    }),
  ],
];
