import { mostExcludedNamed } from "@pixii/wire";
import type {
  Candidate,
  DecisionOutcome,
  DecisionRecord,
  DecisionReport,
  InstanceId,
  ModelHash,
  PolicyName,
  RouteRequest,
  WorkerRank,
} from "@pixii/wire";
import { choose } from "./choose.ts";
import type { ChoiceInput } from "./choose.ts";
import { inputBytes, scoredOf } from "./decision_inputs.ts";
import type { DecisionInputs } from "./decision_inputs.ts";
import type { Scored } from "./scored.ts";
import type { PrefillPlace } from "./split.ts";

/** Most candidates of a record. */
const mostCandidates = 16;
/** Bytes of a kept decision without its candidates, about. */
const traceBytes = 600;

/** A rank that could not take the request. */
export interface Excluded {
  readonly rank: { readonly worker: WorkerRank };
  readonly reason: string;
}

/** Where and when a decision was made. */
export interface DecisionPlace {
  readonly model: { readonly name: string; readonly hash: ModelHash };
  readonly router: InstanceId;
  readonly atMs: number;
  readonly wallMs?: number;
  readonly stateVersion: number;
  readonly queuedMs?: number;
  /** Who computes the prompt instead, or could. */
  prefill?: PrefillPlace;
}

/** What `DecisionTrace` is made of; everything is kept as it is and must not change. */
export interface TraceParts {
  readonly request: RouteRequest;
  readonly place: DecisionPlace;
  readonly input: ChoiceInput;
  readonly inputs: DecisionInputs;
  /** Place of the chosen one among the candidates. */
  readonly chosen: number;
  readonly chance: readonly number[];
  readonly excluded: readonly Excluded[];
}

/** A decision as numbers: all that its record, its explanation and its repetition need. Words are made on demand. */
export class DecisionTrace {
  /** Of the request; its hashes are not kept. */
  readonly requestId: RouteRequest["requestId"];
  readonly attempt: number;
  readonly leg: number;
  readonly frontend: InstanceId;
  readonly hints: RouteRequest["hints"];
  readonly remainingMs: number;
  readonly place: DecisionPlace;
  readonly chosen: number;
  readonly #input: ChoiceInput;
  readonly #inputs: DecisionInputs;
  readonly #chance: readonly number[];
  readonly #excluded: readonly Excluded[];

  constructor({ request, place, input, inputs, chosen, chance, excluded }: TraceParts) {
    this.requestId = request.requestId;
    this.attempt = request.attempt;
    this.leg = request.leg;
    this.frontend = request.frontend;
    this.hints = request.hints;
    this.remainingMs = request.remainingMs;
    this.place = place;
    this.chosen = chosen;
    this.#input = input;
    this.#inputs = inputs;
    this.#chance = chance;
    this.#excluded = excluded;
  }

  get policy(): PolicyName {
    return this.#input.policy;
  }

  /** The chosen worker. */
  get worker(): WorkerRank {
    return this.#inputs.workerOf(this.chosen);
  }

  /** Bytes that it takes in memory, about. */
  get bytes(): number {
    return traceBytes + inputBytes * this.#inputs.size + 16 * this.#excluded.length;
  }

  /** The record, with terms priced again from the inputs. O(candidates). */
  get record(): DecisionRecord {
    return this.report().record;
  }

  /** Everything in words, and what became of it. O(candidates). */
  report(outcome?: DecisionOutcome): DecisionReport {
    const { requestId, attempt, leg, frontend, hints, remainingMs, place } = this;
    const { model, router, atMs, wallMs, stateVersion, queuedMs } = place;
    const inputs = this.#inputs;
    const profiles = inputs.profiles();
    const ranks = Array.from({ length: inputs.size }, (_, i) => inputs.reportOf(i, profiles));
    const all = ranks.map((rank) => scoredOf(rank, profiles));
    const { policy, isl } = this.#input;
    const { looked } = choose(all, this.#input, numbersOf(this.#chance));
    const chosen = all[this.chosen];
    return {
      v: 1,
      record: {
        ...{ requestId, attempt, leg, model: model.name, policy, router, atMs, isl },
        blockSize: chosen.rank.card.blockSize,
        candidates: bestFirst(looked, chosen),
        ...{ eligible: all.length, chosen: chosen.rank.worker, chance: [...this.#chance] },
        stateVersion,
        ...(place.prefill === undefined ? {} : splitOf(place.prefill)),
      },
      ...{ modelHash: model.hash, frontend },
      ...(hints?.clientId === undefined ? {} : { clientId: hints.clientId }),
      ...(wallMs === undefined ? {} : { wallMs }),
      remainingMs,
      ...(hints === undefined ? {} : { hints }),
      ...(queuedMs === undefined ? {} : { queuedMs }),
      input: { ...this.#input },
      ranks,
      ...(profiles.length === 0 ? {} : { profiles: [...profiles] }),
      excluded: excludedOf(this.#excluded),
      ...(outcome === undefined ? {} : { outcome }),
    };
  }
}

function splitOf(
  { worker, acts, localMs, splitMs, tokens }: PrefillPlace,
): Pick<DecisionRecord, "prefill" | "split"> {
  return { prefill: worker, split: { acts, localMs, splitMs, tokens } };
}

/** Numbers of a list, one at a time; behind its end, 0. */
export function numbersOf(list: readonly number[]): () => number {
  const left = list.values();
  return () => left.next().value ?? 0;
}

/** At most 16, the cheapest first and the chosen one before its equals, always among them. */
export function bestFirst(looked: readonly Scored[], chosen: Scored): Candidate[] {
  const order = (one: Scored) => one === chosen ? 0 : 1;
  const sorted = [...looked].sort((a, b) => a.cost - b.cost || order(a) - order(b));
  const best = sorted.slice(0, mostCandidates);
  if (!best.includes(chosen)) best[best.length - 1] = chosen;
  return best.map(({ rank, overlap, terms, cost }) => ({
    ...{ worker: rank.worker, overlap, terms, cost },
  }));
}

function excludedOf(excluded: readonly Excluded[]): DecisionReport["excluded"] {
  const byReason = Map.groupBy(excluded, ({ reason }) => reason);
  return Array.from(byReason, ([reason, all]) => ({
    ...{ reason, count: all.length },
    workers: all.slice(0, mostExcludedNamed).map(({ rank }) => rank.worker),
  }));
}
