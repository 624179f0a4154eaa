import { z } from "zod";
import { instanceId, modelHash, streamKey, u32, workerRank } from "./field.ts";
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
  }),
  z.object({ op: z.literal("first-token"), ...streamKey.shape }),
  z.object({ op: z.literal("complete"), ...streamKey.shape }),
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
