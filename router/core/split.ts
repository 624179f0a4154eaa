import type { Overlap, RouteRequest, WorkerRank } from "@pixii/wire";
import { overlapsOf } from "./decide.ts";
import type { DecisionGround } from "./decide.ts";
import { priceKv } from "./kv_cost.ts";
import type { Model } from "./model.ts";
import type { Rank } from "./rank.ts";

/** When the prompt is better computed by a prefill worker than where the answer is decoded. */
export interface SplitRules {
  /** Prompt tokens that the decode worker would have to compute; up to so many stay there (Dynamo: max_local_prefill_length). */
  readonly maxLocalPrefillTokens: number;
  /** A prefill worker with more prompt tokens waiting takes no more (Dynamo: max_prefill_queue_size, in requests). */
  readonly maxQueueTokens: number;
}

/** Who should compute a prompt. */
export interface PrefillPlace {
  readonly worker: WorkerRank;
  readonly overlap: Overlap;
}

/**
 * The prefill worker that should compute the request's prompt for the decode worker that was chosen; nothing where the
 * model has none, the prompt is short or mostly cached at the decode worker, or all of them have too much waiting. Of
 * several the cheapest by policy `kv`'s prefill term, then by key: no chance is used. Changes and books nothing.
 */
export function prefillPlace(
  model: Model,
  request: RouteRequest,
  options: {
    readonly ground: DecisionGround;
    readonly rules: SplitRules;
    readonly decode: { readonly rank: Rank; readonly overlap: Overlap };
    readonly nowMs: number;
  },
): PrefillPlace | undefined {
  const { ground, rules, decode: { rank, overlap }, nowMs } = options;
  const cached = (overlap.device + overlap.host + overlap.disk) * rank.card.blockSize;
  if (request.isl - cached <= rules.maxLocalPrefillTokens) return undefined;
  const able = model.ranks.filter((one) => {
    const { card, report, worker, load, isStranger } = one;
    const pin = request.hints?.prefillWorker;
    return (report?.role ?? card.role) === "prefill" && !isStranger && !report?.draining &&
      (pin === undefined || pin === worker.instance) && request.isl < card.contextLength &&
      ground.liveness.state(worker.instance, nowMs) === "live" &&
      (report?.stepAgeMs ?? 0) < ground.hungStepMs && load.prefillTokens <= rules.maxQueueTokens;
  });
  if (able.length === 0) return undefined;
  const all = overlapsOf(able, request, ground, model);
  priceKv(all, request.isl, ground.weights.kv);
  let best = all[0];
  for (const one of all) {
    if (one.terms.prefill < best.terms.prefill) best = one;
  }
  return { worker: best.rank.worker, overlap: best.overlap };
}
