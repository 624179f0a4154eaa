import type { InstanceId, ModelHash, RequestId } from "./ids.ts";
import type { ModelCard } from "./presence.ts";

const requestId = "00112233445566778899aabbccddeeff" as RequestId;
/** An instance. */
export const instance = "0123456789abcdef" as InstanceId;
/** A model's hash. */
export const model = "fedcba9876543210" as ModelHash;
/** A leg of the request. */
export const key = { requestId, attempt: 1, leg: 2 };
/** The instance's first rank. */
export const worker = { instance, dpRank: 0 };

/** What a worker serves, without what only some have. */
export const sampleCard: ModelCard = {
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
