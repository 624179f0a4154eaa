import { z } from "zod";
import { count, instanceId, modelHash, u16, u32 } from "./field.ts";
import { tiers } from "./kv_events.ts";

/** Most streams of one heartbeat: some 90 bytes each, so that they fit a message. */
export const mostStreamsPerHeartbeat = 1_024;

/**
 * owner -> routers, on `beat.<owner>`, every `limits.kvBeatEveryMs` and from each tier: how far its event streams have
 * come, from an owner without load reports. It has no number of its own: one that is lost is made good by the next.
 */
export const kvHeartbeat = z.object({
  owner: instanceId,
  /** Of the batches whose numbers follow. */
  epoch: instanceId,
  tier: z.enum(tiers),
  streams: z.array(z.object({
    model: modelHash,
    dpRank: u16,
    /** Tokens, > 0. */
    blockSize: u32.min(1),
    /** Of the last batch published; 0 where there was none. */
    number: count,
  })).max(mostStreamsPerHeartbeat),
});
/** How far an owner's event streams have come. */
export type KvHeartbeat = z.infer<typeof kvHeartbeat>;
