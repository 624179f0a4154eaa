import { z } from "zod";
import { count, label, modelHash, workerRank } from "./field.ts";

/** Most sessions of one message: names are up to 1,024 characters. */
export const mostSessionsPerBatch = 128;

/** router -> router, inside a peer snapshot: where sessions were last, and for how long they stay there. */
export const sessionBatch = z.object({
  sessions: z.array(z.object({
    model: modelHash,
    session: label,
    worker: workerRank,
    /** Milliseconds from the snapshot on. */
    leftMs: count,
  })).max(mostSessionsPerBatch),
});
/** Where sessions were last. */
export type SessionBatch = z.infer<typeof sessionBatch>;
