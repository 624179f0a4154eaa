import type { ModelCard, Overlap, RankInputs, WorkerRank } from "@pixii/wire";
import { workerRankText } from "@pixii/wire";
import type { PricedRank, Scored } from "./scored.ts";

/** What a record keeps of a rank's card: what pricing reads of it. */
export type PricedCard = Pick<ModelCard, "blockSize" | "maxSeqs" | "profile">;

/**
 * The numbers that pricing reads of a rank, beside its card and the overlap: names as they are shown, in the order in
 * which they are kept. A number that a policy begins to read is added here, in `take` and in `rankOf`.
 */
const loadNames = [
  "prefillTokens",
  "blocks",
  "requests",
  "lastTurn",
  "waiting",
  "aheadMs",
  "prefillRate",
  "busyShare",
  "recent",
] as const;

/** Columns of a row: device, host, disk, the numbers of `loadNames`, the cost. */
const width = 3 + loadNames.length + 1;
const costColumn = width - 1;

/** Bytes that one candidate takes, its references counted. */
export const inputBytes: number = 8 * width + 16;

/**
 * What the candidates of a decision looked like when it was made: numbers in one typed array, and references to what
 * never changes. Costs 13 stores per candidate on the way of a request; words are made of it only when somebody asks.
 */
export class DecisionInputs {
  readonly #workers: readonly { readonly worker: WorkerRank }[];
  readonly #cards: readonly PricedCard[];
  readonly #numbers: Float64Array;

  private constructor(
    workers: readonly { readonly worker: WorkerRank }[],
    cards: readonly PricedCard[],
    numbers: Float64Array,
  ) {
    this.#workers = workers;
    this.#cards = cards;
    this.#numbers = numbers;
  }

  /** Takes the inputs of `all`, and the costs of those in `looked`. `ranks[i]` is the rank of `all[i]`; kept, not copied. */
  static take(
    ranks: readonly (PricedRank & { readonly card: PricedCard })[],
    all: readonly Scored[],
    looked: readonly Scored[],
  ): DecisionInputs {
    const numbers = new Float64Array(width * all.length);
    const cards: PricedCard[] = new Array(all.length);
    const hasCost = looked === all;
    for (let i = 0, at = 0; i < all.length; i++, at += width) {
      const { load, card, lastTurn } = ranks[i];
      const { overlap, cost } = all[i];
      cards[i] = card;
      numbers[at] = overlap.device;
      numbers[at + 1] = overlap.host;
      numbers[at + 2] = overlap.disk;
      numbers[at + 3] = load.prefillTokens;
      numbers[at + 4] = load.blocks;
      numbers[at + 5] = load.requests;
      numbers[at + 6] = lastTurn;
      numbers[at + 7] = load.waiting;
      numbers[at + 8] = load.aheadMs;
      numbers[at + 9] = load.prefillRate;
      numbers[at + 10] = load.busyShare;
      numbers[at + 11] = load.recent;
      numbers[at + 12] = hasCost || looked.includes(all[i]) ? cost : NaN;
    }
    return new DecisionInputs(ranks, cards, numbers);
  }

  /** Candidates. */
  get size(): number {
    return this.#cards.length;
  }

  /** What candidate `i` cost; nothing where the policy did not look at it. */
  costOf(i: number): number | undefined {
    const cost = this.#numbers[width * i + costColumn];
    return Number.isNaN(cost) ? undefined : cost;
  }

  /** The worker of candidate `i`. */
  workerOf(i: number): WorkerRank {
    return this.#workers[i].worker;
  }

  /** What candidate `i` held of the prompt, in blocks of its own size. */
  overlapOf(i: number): Overlap {
    const at = width * i;
    const [device, host, disk] = this.#numbers.subarray(at, at + 3);
    return { device, host, disk };
  }

  /** The measured profiles of the candidates, each once. */
  profiles(): readonly unknown[] {
    const known = new Set(this.#cards.map((card) => card.profile));
    known.delete(undefined);
    return [...known];
  }

  /** Candidate `i` in words; `profiles` as this gave them. */
  reportOf(i: number, profiles: readonly unknown[]): RankInputs {
    const { blockSize, maxSeqs, profile } = this.#cards[i];
    const at = width * i + 3;
    return {
      ...{ worker: this.workerOf(i), overlap: this.overlapOf(i), blockSize, maxSeqs },
      numbers: Object.fromEntries(loadNames.map((name, j) => [name, this.#numbers[at + j]])),
      ...(this.costOf(i) === undefined ? {} : { cost: this.costOf(i) }),
      ...(profile === undefined ? {} : { profile: profiles.indexOf(profile) }),
    };
  }
}

/** A candidate as pricing takes it, out of its words. A number that an older router did not tell is 0. */
export function scoredOf(inputs: RankInputs, profiles: readonly unknown[]): Scored {
  const { worker, overlap, blockSize, maxSeqs, numbers, profile } = inputs;
  const { prefillTokens = 0, blocks = 0, requests = 0, lastTurn = 0 } = numbers;
  const { waiting = 0, aheadMs = 0, prefillRate = 0, busyShare = 0, recent = 0 } = numbers;
  const card = {
    ...{ blockSize, maxSeqs },
    ...(profile === undefined ? {} : { profile: profiles[profile] as PricedCard["profile"] }),
  };
  const key = workerRankText(worker);
  const rank: PricedRank = {
    ...{ key, worker, card, lastTurn },
    load: {
      ...{ prefillTokens, blocks, requests, waiting },
      ...{ aheadMs, prefillRate, busyShare, recent },
    },
  };
  return { rank, overlap, terms: {}, cost: 0 };
}
