import type { ModelCard, Overlap, WorkerRank } from "@pixii/wire";

/**
 * All that pricing and picking may read of a rank. What is here is kept with every decision (`decision_inputs.ts`), so
 * that it can be made again: a number that a new policy needs is added here and there.
 */
export interface PricedRank {
  readonly key: string;
  readonly worker: WorkerRank;
  readonly card: Pick<ModelCard, "blockSize" | "maxSeqs" | "profile">;
  readonly load: {
    readonly prefillTokens: number;
    readonly blocks: number;
    readonly requests: number;
    /** Requests whose first token is not there yet. */
    readonly waiting: number;
    /** How long the prompts of those take from now on, in milliseconds; known where the policy asks for it, else 0. */
    readonly aheadMs: number;
    /** Share of the last minute in which it computed prompts, in [0, 1]; known as `aheadMs` is. */
    readonly busyShare: number;
    /** Requests placed there in the last minute or so, older ones counting less; known as `aheadMs` is. */
    readonly recent: number;
    /** Prompt tokens per second that the worker last reported; 0 = unknown. */
    readonly prefillRate: number;
  };
  /** The model's turn at which it was last chosen, from 1; 0 for never. */
  readonly lastTurn: number;
}

/** One candidate of a decision. */
export interface Scored {
  readonly rank: PricedRank;
  /** In blocks of the rank's own size. */
  readonly overlap: Overlap;
  /** They sum to `cost`. */
  readonly terms: Record<string, number>;
  cost: number;
}

/** Adds a term. */
export function addTerm(scored: Scored, name: string, value: number): void {
  scored.terms[name] = value;
  scored.cost += value;
}
