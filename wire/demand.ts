import { z } from "zod";
import { count, finite, instanceId, modelHash, u32 } from "./field.ts";
import { timeBins } from "./time_bins.ts";

/** (bin, count) of times: bins of `timeBinOf`, each at most once. */
const times = z.array(z.tuple([u32.max(timeBins - 1), count])).max(timeBins);

/** What was served since the last report: streams that ended by themselves. */
const servedStreams = z.object({
  streams: count,
  /** Sums over them: prompt tokens, those of them that were taken from KV, answer tokens. */
  promptTokens: count,
  cachedTokens: count,
  outputTokens: count,
  /** From the request's start, queues included, to its first token. */
  ttft: times,
  /** Mean time between two tokens of a stream, of each that had two. */
  itl: times,
});

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
  /** Requests that wait here for a worker, where the model has none; absent where none wait. Told again every second. */
  waiting: count.optional(),
  /** Absent where none ended. */
  served: servedStreams.optional(),
});

/** frontend -> planners, published once a second while anything happened; a lost one is lost. */
export const demandReport = z.object({
  frontend: instanceId,
  models: z.array(modelDemand).max(1024),
});
/** What a frontend was asked for. */
export type DemandReport = z.infer<typeof demandReport>;
/** What was served of one model. */
export type ServedStreams = NonNullable<DemandReport["models"][number]["served"]>;
/** What was asked of one model. */
export type ModelDemand = DemandReport["models"][number];
