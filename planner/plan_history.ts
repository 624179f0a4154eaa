import type { PlanRecord } from "./core/plan_record.ts";
import { moveText } from "./core/plan_words.ts";

/** What became of one move that was asked for. */
export interface ActNote {
  readonly actuator: string;
  readonly order: string;
  readonly ok: boolean;
  readonly error?: string;
}

/** A decision and what was done about it. */
export interface KeptPlan {
  readonly record: PlanRecord;
  /** The planner. */
  readonly by: string;
  /** When, for people: ISO 8601. */
  readonly at: string;
  /** `act`: moves were asked for; `watch`: they would be; `standby`: another planner does. */
  readonly mode: "act" | "watch" | "standby";
  readonly acts: readonly ActNote[];
}

/** A worker's change of role that ended. */
export interface KeptFlip {
  readonly instance: string;
  /** Served name; absent where the worker was gone before. */
  readonly model?: string;
  readonly order: string;
  readonly to: string;
  readonly state: string;
  readonly reason?: string;
  readonly at: string;
}

/** What came of a decision once its moves had had their time. */
export interface KeptOutcome {
  readonly record: PlanRecord;
  readonly by: string;
  readonly at: string;
  /** False: nobody made the moves, because the planner watched, stood by, or could not ask for them. */
  readonly isDone: boolean;
}

/** One line of the history. */
export type HistoryLine =
  | ({ readonly kind: "plan" } & KeptPlan)
  | ({ readonly kind: "flip" } & KeptFlip)
  | ({ readonly kind: "outcome" } & KeptOutcome);

/** The latest decisions, bounded; every line also goes to a listener. */
export class PlanHistory {
  readonly #most: number;
  readonly #lines: HistoryLine[] = [];
  readonly #listener: ((line: HistoryLine) => void) | undefined;
  readonly #lastSaid = new Map<string, string>();

  constructor(most: number, listener?: (line: HistoryLine) => void) {
    this.#most = most;
    this.#listener = listener;
  }

  /** The latest last. */
  get lines(): readonly HistoryLine[] {
    return this.#lines;
  }

  /**
   * Takes a decision; one that changes nothing and says what the model's last one said is left out, but for every predictive
   * one. Where nobody makes the moves the same ones are wished for in every step: they are told once.
   */
  plan(kept: KeptPlan): void {
    const { record, mode } = kept;
    const isMade = mode === "act" && record.moves.length > 0;
    const wish = mode === "act" ? "" : record.moves.map(moveText).join();
    const said = `${mode} ${wish} ${record.bound.replaceAll(/\d+/g, "#")}`;
    const isNews = isMade || record.loop === "predictive" ||
      this.#lastSaid.get(record.model) !== said;
    this.#lastSaid.set(record.model, said);
    if (isNews) this.#add({ kind: "plan", ...kept });
  }

  /** A change of role has ended. */
  flip(kept: KeptFlip): void {
    this.#add({ kind: "flip", ...kept });
  }

  /** What came of a decision. */
  outcome(kept: KeptOutcome): void {
    this.#add({ kind: "outcome", ...kept });
  }

  /** The latest lines, the oldest first; `model`: only its own. O(kept). */
  select(
    { last, model }: { readonly last?: number; readonly model?: string },
  ): readonly HistoryLine[] {
    const mine = model === undefined
      ? this.#lines
      : this.#lines.filter((line) => modelOf(line) === model);
    return last === undefined ? mine : mine.slice(-last);
  }

  #add(line: HistoryLine): void {
    this.#lines.push(line);
    if (this.#lines.length > this.#most) this.#lines.shift();
    this.#listener?.(line);
  }
}

/** Whose line it is; `undefined` where nobody knows. */
export function modelOf(line: HistoryLine): string | undefined {
  return line.kind === "flip" ? line.model : line.record.model;
}
