import { z } from "zod";
import { instanceId, label, modelHash, streamKey, u32, workerRank } from "./field.ts";
import { limits } from "./limits.ts";

/** One fact of a stream's life; idempotent by stream key and op. */
export const ledgerEntry = z.discriminatedUnion("op", [
  z.object({
    op: z.literal("book"),
    ...streamKey.shape,
    model: modelHash,
    worker: workerRank,
    /** Whose booking it is: it dies with this frontend. */
    frontend: instanceId,
    /** Prompt tokens that must be computed. */
    prefillTokens: u32,
    /** Blocks the sequence holds while it runs. */
    blocks: u32,
    /** The session it belongs to, and how long that stays here: so that every router keeps it together. */
    session: label.optional(),
    sessionTtlMs: u32.optional(),
  }),
  z.object({
    op: z.literal("first-token"),
    ...streamKey.shape,
    /** Prompt tokens that the engine took from its caches. */
    cachedTokens: u32.optional(),
  }),
  z.object({
    op: z.literal("complete"),
    ...streamKey.shape,
    outputTokens: u32.optional(),
    /** Why it ended at this worker: `stop`, `length`, `cancelled`, or an error's code. */
    reason: z.string().max(64).optional(),
  }),
]);
/** One fact of a stream's life. */
export type LedgerEntry = z.infer<typeof ledgerEntry>;

/** frontend or router -> every router, published: up to 256 entries or 1 ms. */
export const ledgerBatch = z.object({
  from: instanceId,
  entries: z.array(ledgerEntry).max(limits.ledgerEntries),
});
/** A batch of ledger entries. */
export type LedgerBatch = z.infer<typeof ledgerBatch>;
