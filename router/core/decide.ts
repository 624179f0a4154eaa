import { fail, ok } from "@pixii/wire";
import type {
  DecisionRecord,
  InstanceId,
  ModelHash,
  Overlap,
  PolicyName,
  Result,
  RouteRequest,
} from "@pixii/wire";
import { eligibleRanks } from "./eligibility.ts";
import type { Liveness } from "./liveness.ts";
import { choose } from "./choose.ts";
import type { ChoiceInput, PolicyWeights } from "./choose.ts";
import { Coverage } from "./coverage.ts";
import type { CoverageGround } from "./coverage.ts";
import { DecisionInputs } from "./decision_inputs.ts";
import { DecisionTrace } from "./decision_trace.ts";
import type { Excluded } from "./decision_trace.ts";
import { believed } from "./doubt.ts";
import type { Model } from "./model.ts";
import type { Draw } from "./pick.ts";
import type { BusyRules } from "./queue_rules.ts";
import type { Rank } from "./rank.ts";
import { isBusy } from "./busy.ts";
import type { Claims } from "./claims.ts";
import { isHomeBest } from "./ttft_cost.ts";
import { weightsWith } from "./request_weights.ts";
import type { Scored } from "./scored.ts";
import type { Sessions } from "./sessions.ts";
import type { PrefillPlace } from "./split.ts";

/** What a decision rests on besides the model and the request. */
export interface DecisionGround extends CoverageGround {
  readonly router: InstanceId;
  readonly policy: PolicyName;
  readonly weights: PolicyWeights;
  readonly hungStepMs: number;
  /** When a rank is full; without it none is. */
  readonly busy?: BusyRules;
  readonly liveness: Liveness;
  readonly sessions: Sessions;
  readonly stateVersion: number;
}

/** When a decision is made, and with what luck: random numbers in [0, 1), as many as it asks for. */
export interface DecisionMoment {
  readonly nowMs: number;
  /** Milliseconds since 1970, for people. */
  readonly wallMs?: number;
  /** How long the request waited in the router's queue. */
  readonly queuedMs?: number;
  readonly draw: Draw;
  /** Policy `ttft`: full ranks are candidates, too, and those that others wait for cost what these will compute. */
  readonly claims?: Claims;
}

/** A decision: where to, and why. */
export interface Decision {
  readonly rank: Rank;
  /** What it holds of the prompt, in blocks of its own size. */
  readonly overlap: Overlap;
  /** Who else holds how much of it; good until the index changes. */
  readonly coverage: Coverage;
  /** The rank is full, or others wait for it: nothing may be booked there now. Only of a moment with claims. */
  readonly isFull: boolean;
  /** Milliseconds that the rank will compute and bring back for it; 0 where the policy does not predict. */
  readonly workMs: number;
  /** All it was made from, as numbers. */
  readonly trace: DecisionTrace;
  /** Who could compute the prompt instead, where that is looked for and pays. */
  prefill?: PrefillPlace;
  /** The trace in words, made when it is asked for: not on the way of a request. */
  readonly record: DecisionRecord;
}

/** Chooses a rank for the request. Changes nothing: the caller books it. */
export function decide(
  model: Model,
  request: RouteRequest,
  options: { readonly ground: DecisionGround; readonly moment: DecisionMoment },
): Result<Decision> {
  const { ground, moment } = options;
  const { hints } = request;
  const policy = hints?.policy ?? ground.policy;
  if (policy === "direct" && hints?.worker === undefined) {
    return fail(
      "invalid_request",
      "Cannot place the request: policy direct needs the hint worker, an instance id; name one or choose another policy",
      { param: "worker" },
    );
  }
  const { liveness, hungStepMs } = ground;
  const full = foreseen(model, policy, options);
  const busy = full === undefined ? ground.busy : undefined;
  const excluded: Excluded[] = [];
  const boundTo = hardSessionRank(model.hash, request, { ground, nowMs: moment.nowMs });
  const judges = { liveness, hungStepMs, busy, boundTo, nowMs: moment.nowMs, excluded };
  const eligible = eligibleRanks(model, request, judges);
  if (!eligible.ok) return eligible;
  const chance: number[] = [];
  const draw = () => {
    const number = moment.draw();
    chance.push(number);
    return number;
  };
  const coverage = new Coverage(model, request, ground);
  const all = overlapsOf(eligible.value, coverage);
  const session = sessionRank(all, model, request, options);
  const input: ChoiceInput = {
    ...{ policy, isl: request.isl, weights: weightsWith(ground.weights, hints?.weights) },
    sessionPlace: session === undefined ? undefined : all.indexOf(session),
  };
  const { looked, chosen } = choose(all, input, draw);
  const chosenAt = all.indexOf(chosen);
  const trace = new DecisionTrace({
    ...{ request, input, chance, excluded, chosen: chosenAt },
    place: {
      ...{ model, router: ground.router, atMs: moment.nowMs, stateVersion: ground.stateVersion },
      ...{ wallMs: moment.wallMs, queuedMs: moment.queuedMs },
    },
    inputs: DecisionInputs.take(eligible.value, all, looked),
  });
  const rank = eligible.value[chosenAt];
  const { prefill = 0, transfer = 0 } = chosen.terms;
  const isFull = full?.has(rank) ?? false;
  const place = { overlap: chosen.overlap, isFull, workMs: prefill + transfer };
  return ok(new Placed(rank, { ...place, coverage, trace }));
}

/** Predicts what waits at each rank where that is asked for. Answers the full ranks where they are candidates, too. */
function foreseen(
  { ranks }: Model,
  policy: PolicyName,
  { ground: { busy, weights }, moment: { nowMs, claims } }: {
    readonly ground: DecisionGround;
    readonly moment: DecisionMoment;
  },
): ReadonlySet<Rank> | undefined {
  const isPredicted = policy === "ttft";
  if (isPredicted || (busy?.prefillMs ?? 0) > 0) {
    for (const { load } of ranks) load.foresee(nowMs, weights.ttft.assumedRate);
  }
  if (!isPredicted || claims === undefined) return undefined;
  const full = new Set<Rank>();
  for (const rank of ranks) {
    if (claims.has(rank.key) || (busy !== undefined && isBusy(rank, busy))) full.add(rank);
    // After it was asked whether the rank is full: who waits here is not there yet.
    rank.load.claim(claims.of(rank.key));
  }
  return full;
}

class Placed implements Decision {
  readonly rank: Rank;
  readonly overlap: Overlap;
  readonly coverage: Coverage;
  readonly isFull: boolean;
  readonly workMs: number;
  readonly trace: DecisionTrace;
  prefill?: PrefillPlace;

  constructor(
    rank: Rank,
    { overlap, coverage, isFull, workMs, trace }: Omit<Decision, "rank" | "record" | "prefill">,
  ) {
    this.rank = rank;
    this.overlap = overlap;
    this.coverage = coverage;
    this.isFull = isFull;
    this.workMs = workMs;
    this.trace = trace;
  }

  get record(): DecisionRecord {
    return this.trace.record;
  }
}

/** The candidates with what each holds of the prompt, as far as that is believed. */
export function overlapsOf(ranks: readonly Rank[], coverage: Coverage): readonly Scored[] {
  const held = coverage.of(ranks);
  return ranks.map((rank, place) => {
    return { rank, overlap: believed(held[place], rank.doubt), terms: {}, cost: 0 };
  });
}

/** Key of the only rank that may serve the request: the one its hard session is bound to. */
export function hardSessionRank(
  model: ModelHash,
  { hints }: RouteRequest,
  at: { readonly ground: Pick<DecisionGround, "sessions">; readonly nowMs: number },
): string | undefined {
  if (hints?.session === undefined || hints.sessionMode !== "hard") return undefined;
  return at.ground.sessions.find(model, hints.session, at.nowMs);
}

/** The candidate that served the request's session last, unless it is full while another is not. */
function sessionRank(
  candidates: readonly Scored[],
  model: Model,
  request: RouteRequest,
  options: { readonly ground: DecisionGround; readonly moment: DecisionMoment },
): Scored | undefined {
  const session = request.hints?.session;
  if (session === undefined || request.hints?.worker !== undefined) return undefined;
  const key = options.ground.sessions.find(model.hash, session, options.moment.nowMs);
  const known = candidates.find((one) => one.rank.key === key);
  const isFull = ({ rank }: Scored) => rank.load.requests >= rank.card.maxSeqs;
  if (known === undefined || request.hints?.sessionMode === "hard") return known;
  const { policy, weights } = options.ground;
  const isPredicted = (request.hints?.policy ?? policy) === "ttft";
  const terms = { isl: request.isl, weights: weights.ttft };
  if (isPredicted && !isHomeBest(known, candidates, terms)) return undefined;
  return isFull(known) && !candidates.every(isFull) ? undefined : known;
}
