import { bytesOfHex, workerRankText, xxh64 } from "@pixii/wire";
import type { Candidate, DecisionReport, WorkerRank } from "@pixii/wire";
import { choose } from "./choose.ts";
import type { ChoiceInput } from "./choose.ts";
import { changed, weightsOf } from "./decision_change.ts";
import type { DecisionChange } from "./decision_change.ts";
import { scoredOf } from "./decision_inputs.ts";
import { bestFirst } from "./decision_trace.ts";
import type { Scored } from "./scored.ts";
import { timesOf } from "./ttft_cost.ts";
import type { TtftWeights } from "./ttft_cost.ts";

/** A decision made again. */
export interface Redecision {
  readonly worker: WorkerRank;
  /** Place of the chosen one among the ranks. */
  readonly place: number;
  /** All that were looked at, in the order of the ranks. */
  readonly looked: readonly Scored[];
  /** Best first, at most 16. */
  readonly candidates: readonly Candidate[];
  /** Random numbers that were needed and that the record does not hold: they were made from its request id. */
  readonly extraDraws: number;
}

/** What came of replaying a record. */
export interface ReplayResult {
  /** Equal in the chosen worker, in every cost, term and random number, bit for bit. */
  readonly isEqual: boolean;
  readonly differences: readonly string[];
  readonly again: Redecision;
}

/** Makes the decision of a report again, from its inputs and its random numbers, with the code that makes every decision. */
export function redecide(report: DecisionReport): Redecision {
  const { ranks, profiles = [], record } = report;
  const all = ranks.map((rank) => scoredOf(rank, profiles));
  const draws = new Draws(report);
  const input = report.input as unknown as ChoiceInput;
  if (input.policy === "ttft" && record.policy !== "ttft") foresee(all, report);
  const { looked, chosen } = choose(all, input, () => draws.next());
  return {
    ...{ worker: chosen.rank.worker, place: all.indexOf(chosen), looked },
    ...{ candidates: bestFirst(looked, chosen), extraDraws: draws.extra },
  };
}

/** Replays a record and compares bit for bit: the choice, the costs as they were computed then, and the terms. */
export function replayDecision(report: DecisionReport): ReplayResult {
  const again = redecide(report);
  const differences: string[] = [];
  const { record, ranks } = report;
  const chosen = workerRankText(record.chosen);
  const now = workerRankText(again.worker);
  if (chosen !== now) differences.push(`chosen: ${chosen} then, ${now} now`);
  const costs = new Map(again.looked.map(({ rank, cost }) => [rank.key, cost]));
  for (const { worker, cost } of ranks) {
    const key = workerRankText(worker);
    if (costs.get(key) !== cost) {
      differences.push(`cost of ${key}: ${cost} then, ${costs.get(key)} now`);
    }
  }
  const then = JSON.stringify(record.candidates);
  if (then !== JSON.stringify(again.candidates)) differences.push("the terms of the candidates");
  if (again.extraDraws > 0) differences.push(`${again.extraDraws} more random numbers were drawn`);
  return { isEqual: differences.length === 0, differences, again };
}

/** The decision as it would have been with these changes; nothing where they leave no worker. */
export function whatIf(
  report: DecisionReport,
  changes: readonly DecisionChange[],
): Redecision | undefined {
  let supposed: DecisionReport | undefined = report;
  for (const change of changes) {
    if (supposed === undefined) return undefined;
    supposed = changed(supposed, change);
  }
  return supposed === undefined ? undefined : redecide(supposed);
}

/** The recorded random numbers in order; behind them, numbers made of the request id, the same at every try. */
class Draws {
  readonly #report: DecisionReport;
  readonly #recorded: readonly number[];
  #drawn = 0;

  constructor(report: DecisionReport) {
    this.#report = report;
    this.#recorded = report.record.chance;
  }

  get extra(): number {
    return Math.max(0, this.#drawn - this.#recorded.length);
  }

  next(): number {
    const at = this.#drawn++;
    if (at < this.#recorded.length) return this.#recorded[at];
    const { hi, lo } = xxh64(bytesOfHex(`${this.#report.record.requestId}${hexByte(at)}`));
    // The upper 53 bits, as a number in [0, 1).
    return (hi * 2 ** 21 + (lo >>> 11)) / 2 ** 53;
  }
}

function hexByte(value: number): string {
  return (value & 255).toString(16).padStart(2, "0");
}

/** Only policy `ttft` notes how long the prompts ahead take; for another's record it is computed from their tokens. */
function foresee(all: readonly Scored[], report: DecisionReport): void {
  const weights = weightsOf(report).ttft as unknown as TtftWeights;
  for (const { rank } of all) {
    const ahead = timesOf(rank, weights).prefillMs(rank.load.prefillTokens, 0);
    (rank.load as { aheadMs: number }).aheadMs = ahead;
  }
}
