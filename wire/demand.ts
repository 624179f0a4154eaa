import { z } from "zod";
import { count, finite, instanceId, modelHash } from "./field.ts";

/** What was asked of one model since the frontend's last report. */
const modelDemand = z.object({
  model: modelHash,
  /** Streams placed at a worker, and the prompt tokens that had to be computed for them. */
  booked: count,
  prefillTokens: count,
  completed: count,
  /** Streams that had their first token, and the sum of their waits for it from their placing on. */
  firstTokens: count,
  ttftSumMs: finite,
});

/** frontend -> planners, published once a second while anything happened; a lost one is lost. */
export const demandReport = z.object({
  frontend: instanceId,
  models: z.array(modelDemand).max(1024),
});
/** What a frontend was asked for. */
export type DemandReport = z.infer<typeof demandReport>;
/** What was asked of one model. */
export type ModelDemand = DemandReport["models"][number];
