import { z } from "zod";
import { count, finite, instanceId, modelHash, u16, u32 } from "./field.ts";
import { roleFlip, roles } from "./role.ts";

/** worker -> everyone, published every 250 ms and on change, one per rank; latest wins. */
export const loadReport = z.object({
  instance: instanceId,
  dpRank: u16,
  model: modelHash,
  role: z.enum(roles),
  /** Its latest change of role since it started. */
  flip: roleFlip.optional(),
  draining: z.boolean(),
  /** Sequences in the running batch, and waiting for a place in it. */
  running: u32,
  waiting: u32,
  maxSeqs: u32,
  /** Prompt tokens accepted and not yet computed. */
  prefillTokens: u32,
  /** KV blocks in use by live sequences; kept for reuse; in all. */
  activeBlocks: u32,
  cachedBlocks: u32,
  totalBlocks: u32,
  /** Engine steps since start, and how long the current step has run. */
  stepCount: count,
  stepAgeMs: finite,
  /** Number of the last KV event batch published: shows a lost last batch. */
  kvEventNumber: count,
  /** Number of live streams and the xor of xxh64(stream key text, 0) over them: corrects ledger drift. */
  activeStreams: u32,
  activeDigestHi: u32,
  activeDigestLo: u32,
  /** Measured, tokens per second; 0 until known. */
  prefillRate: finite,
  decodeRate: finite,
});
/** A worker's load. */
export type LoadReport = z.infer<typeof loadReport>;
