import { z } from "zod";
import { count, finite, instanceId, label, modelHash, modelName, u16, u32 } from "./field.ts";
import { mostPlacementTerms, placementTerm } from "./placement_term.ts";
import { roles } from "./role.ts";
import { serviceNames } from "./subjects.ts";
import { workerProfile } from "./worker_profile.ts";

/** `/instances/<service>/<id>`: one running program. */
export const instanceRecord = z.object({
  service: z.enum(serviceNames),
  instance: instanceId,
  pid: u32,
  host: label,
  /** Base URL of its admin port (`http://127.0.0.1:1234`, with `/router` behind it in one-process mode). */
  admin: label,
  version: label,
  status: z.enum(["starting", "ready", "draining"]),
});
/** One running program. */
export type InstanceRecord = z.infer<typeof instanceRecord>;

/** `/models/<modelHash>/<id>`: what one worker serves. Everything a frontend and a router need; no file. */
export const modelCard = z.object({
  name: modelName,
  hash: modelHash,
  instance: instanceId,
  engine: z.enum(["llama", "sim", "onnx", "openai"]),
  role: z.enum(roles),
  /** sha256 of the weights, hex; two workers of a name must agree. */
  modelDigest: label,
  /** Most tokens of prompt plus output. */
  contextLength: u32.min(1),
  /** Tokens of a KV block. */
  blockSize: u32.min(1),
  totalBlocks: u32,
  kvBytesPerToken: finite,
  layoutFingerprint: label,
  reuse: z.enum(["blocks", "whole-sequence", "none"]),
  dpSize: u16.min(1),
  tpSize: u16.min(1),
  slidingWindow: u32,
  maxSeqs: u32.min(1),
  vocabSize: u32.min(1),
  /** Vocabulary artifact (see `artifact.ts`): sha256 hex and size. */
  artifactDigest: label,
  artifactBytes: count,
  /** Tokens that end a generation. */
  eosTokenIds: z.array(u32).max(64),
  /** `hashProbe` of the worker's own block hashes: proves that they name the same blocks as everybody's. */
  hashProbe: label.optional(),
  /** False where the engine publishes no KV events although it reuses blocks: the router then goes by its own decisions. */
  kvEvents: z.boolean().optional(),
  /** What a request may require: `key` or `key=value`. */
  labels: z.array(placementTerm).max(mostPlacementTerms).optional(),
  /** Keeps requests away that do not tolerate each: `key` or `key=value`. */
  taints: z.array(placementTerm).max(mostPlacementTerms).optional(),
  /** LoRA adapters it has loaded, by name. */
  adapters: z.array(label).max(256).optional(),
  /** The worker's kvbm, if any: the router joins its tiers. */
  kvbm: instanceId.optional(),
  /** How long it takes, where that was measured: what the router predicts with. One it cannot read is none. */
  profile: workerProfile.optional().catch(undefined),
  /** Seconds since 1970 when the weights were made or loaded: `/v1/models`' `created`. */
  createdAt: count,
});
/** What one worker serves. */
export type ModelCard = z.infer<typeof modelCard>;
