import { takesPrompts } from "@pixii/wire";
import type { Overlap, RouteRequest, WorkerRank } from "@pixii/wire";
import { overlapsOf } from "./decide.ts";
import type { Decision, DecisionGround } from "./decide.ts";
import type { Model } from "./model.ts";
import type { Rank } from "./rank.ts";
import type { Scored } from "./scored.ts";
import { priceTtft, timesOf } from "./ttft_cost.ts";
import type { TtftWeights } from "./ttft_cost.ts";
import { timesOfProfile } from "./ttft_times.ts";

/** When the prompt is better computed by a prefill worker than where the answer is decoded. */
export interface SplitRules {
  /** `advise`: it stands in the decision's record and nothing follows. `always`: whenever a prefill worker can take it. */
  readonly mode: "advise" | "auto" | "always";
  /** Prompt tokens that the decode worker would have to compute; up to so many stay there (Dynamo: max_local_prefill_length). */
  readonly maxLocalPrefillLength: number;
  /** A prefill worker with so many prompts waiting takes no more (Dynamo: max_prefill_queue_size). */
  readonly maxPrefillQueueSize: number;
  /** `auto`: the first token may come so many times later than where the decode worker computes the prompt itself. */
  readonly patience: number;
  /** Workers of different kvbms hand over too: over TCP, where the prefill worker's listens to peers. */
  readonly acrossHosts: boolean;
}

/** Who should compute a prompt. */
export interface PrefillPlace {
  readonly worker: WorkerRank;
  readonly overlap: Overlap;
  /** The request is split; else it is advice. */
  readonly acts: boolean;
  /** Predicted milliseconds until the first token: where the decode worker computes the prompt, and split. */
  readonly localMs: number;
  readonly splitMs: number;
  /** Prompt tokens that the prefill worker has to compute. */
  readonly tokens: number;
}

/** A hand-over takes about this share of the time that computing takes, where nobody measured. */
const assumedHandoverShare = 0.05;

/**
 * The prefill worker that should compute the request's prompt for the decode worker that was chosen; nothing where the
 * model has none that can hand over to it, the prompt is short or mostly cached at the decode worker, all of them have too
 * much waiting, or the first token would come too late. Of several the one whose first token comes first, then by key: no
 * chance is used. Changes and books nothing. O(ranks) for long prompts, O(1) for short ones.
 */
export function prefillPlace(
  model: Model,
  request: RouteRequest,
  options: {
    readonly ground: DecisionGround;
    readonly rules: SplitRules;
    readonly decode: Pick<Decision, "rank" | "overlap" | "coverage">;
    readonly nowMs: number;
  },
): PrefillPlace | undefined {
  const { ground, rules, decode, nowMs } = options;
  const { rank, overlap } = decode;
  const cached = (overlap.device + overlap.host + overlap.disk) * rank.card.blockSize;
  const most = rules.mode === "always" ? 0 : rules.maxLocalPrefillLength;
  if (request.isl - cached <= most) return undefined;
  const able = model.ranks.filter((one) => isAble(one, request, options));
  if (able.length === 0) return undefined;
  const { assumedRate } = ground.weights.ttft;
  const known = [rank, ...able].map((one) => knownRate(one, request.isl)).filter((rate) =>
    rate > 0
  );
  const weights: TtftWeights = {
    ...{ ...ground.weights.ttft, workWeight: 0, spreadWeight: 0 },
    // A decode worker may never have computed a prompt: it is taken to be like those that have.
    assumedRate: known.length > 0 ? Math.max(...known) : assumedRate,
  };
  for (const { load } of [rank, ...able]) load.foresee(nowMs, weights.assumedRate);
  const local: Scored = { rank, overlap, terms: {}, cost: 0 };
  priceTtft([local], request.isl, weights);
  const all = overlapsOf(able, decode.coverage);
  priceTtft(all, request.isl, weights);
  const best = all.reduce((least, one) => one.cost < least.cost ? one : least);
  const splitMs = best.cost + handoverMs(rank, request.isl - cached, weights);
  if (rules.mode !== "always" && splitMs > rules.patience * local.cost) return undefined;
  const { device, host, disk } = best.overlap;
  return {
    ...{ worker: best.rank.worker, overlap: best.overlap, acts: rules.mode !== "advise" },
    ...{ localMs: local.cost, splitMs },
    tokens: Math.max(0, request.isl - (device + host + disk) * best.rank.card.blockSize),
  };
}

/** Prompt tokens per second, as measured or reported; 0 where nothing is known. */
function knownRate({ card, load }: Rank, tokens: number): number {
  if (card.profile === undefined) return load.prefillRate;
  return tokens / Math.max(0.001, timesOfProfile(card.profile).prefillMs(tokens, 0)) * 1000;
}

function isAble(
  one: Rank,
  request: RouteRequest,
  { ground, rules, decode, nowMs }: Parameters<typeof prefillPlace>[2],
): boolean {
  const { card, report, worker, load, isStranger } = one;
  if (!takesPrompts(report ?? card) || isStranger || report?.draining) return false;
  const pin = request.hints?.prefillWorker;
  return (pin === undefined || pin === worker.instance) && request.isl < card.contextLength &&
    canHandOver(one, decode.rank, rules.acrossHosts) && load.waiting < rules.maxPrefillQueueSize &&
    ground.liveness.state(worker.instance, nowMs) === "live" &&
    (report?.stepAgeMs ?? 0) < ground.hungStepMs;
}

/** Blocks of one are blocks of the other, and there is a way between them: kvbms, or engines that need none. */
function canHandOver({ card: from }: Rank, { card: to }: Rank, acrossHosts: boolean): boolean {
  if (from.layoutFingerprint !== to.layoutFingerprint || from.engine !== to.engine) return false;
  if (from.engine === "sim") return true;
  if (from.kvbm === undefined || to.kvbm === undefined) return false;
  return acrossHosts || from.kvbm === to.kvbm;
}

/** What the decode worker takes to bring the blocks in; most of it hides behind the computing. */
function handoverMs(rank: Rank, tokens: number, weights: TtftWeights): number {
  const { blockSize } = rank.card;
  const times = timesOf(rank, weights);
  return times.onboardMs("host", { blocks: Math.ceil(tokens / blockSize), blockSize }) ??
    assumedHandoverShare * times.prefillMs(tokens, 0);
}
