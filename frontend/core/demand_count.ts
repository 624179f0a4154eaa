import type { ModelDemand, ModelHash } from "@pixii/wire";

type Counts = { -readonly [Name in keyof ModelDemand]: ModelDemand[Name] };

/** Most models counted between two reports; more are not. */
const mostModels = 1024;

/** Counts what is asked of each model between two reports. O(1) a fact. */
export class DemandCount {
  #counts = new Map<ModelHash, Counts>();

  /** A stream was placed; this many of its prompt's tokens must be computed. */
  booked(model: ModelHash, prefillTokens: number): void {
    const counts = this.#of(model);
    if (counts === undefined) return;
    counts.booked += 1;
    counts.prefillTokens += prefillTokens;
  }

  /** A stream had its first token `waitMs` after it was placed. */
  firstToken(model: ModelHash, waitMs: number): void {
    const counts = this.#of(model);
    if (counts === undefined) return;
    counts.firstTokens += 1;
    counts.ttftSumMs += waitMs;
  }

  /** A placed stream is over. */
  completed(model: ModelHash): void {
    const counts = this.#of(model);
    if (counts !== undefined) counts.completed += 1;
  }

  /** What was counted since the last call. */
  take(): ModelDemand[] {
    const counts = this.#counts;
    this.#counts = new Map();
    return [...counts.values()];
  }

  #of(model: ModelHash): Counts | undefined {
    const known = this.#counts.get(model);
    if (known !== undefined || this.#counts.size === mostModels) return known;
    const zero = { booked: 0, prefillTokens: 0, completed: 0, firstTokens: 0, ttftSumMs: 0 };
    const made = { model, ...zero };
    this.#counts.set(model, made);
    return made;
  }
}
