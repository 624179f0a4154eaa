import { addTerm } from "./scored.ts";
import type { PricedRank, Scored } from "./scored.ts";
import { timesOfProfile, timesOfRate } from "./ttft_times.ts";
import type { TtftTimes } from "./ttft_times.ts";

/** Weights of policy `ttft`. */
export interface TtftWeights {
  /**
   * What a millisecond of new work costs beside the time it takes, where workers are busy half of the time: others will
   * wait for it, and the more the busier they are. 0 is greedy: the request's own first token and nothing else.
   */
  readonly workWeight: number;
  /**
   * What placing a prompt costs where more were placed lately than elsewhere, against computing all of it: at 1 that much
   * at twice the mean. What many share draws all that begin with it to one worker, and with them what follows.
   */
  readonly spreadWeight: number;
  /** A session may leave its worker when this much more waits there than elsewhere, in milliseconds, and what leaving costs. */
  readonly stickyBacklogMs: number;
  /** Prompt tokens per second of a worker of which nothing is known yet. */
  readonly assumedRate: number;
}

/** The weights that measured best on the traces; docs/routing.md has the table. */
export const defaultTtftWeights: TtftWeights = {
  workWeight: 2,
  spreadWeight: 0.5,
  stickyBacklogMs: 1_000,
  assumedRate: 5_000,
};

/** Prompt tokens of one engine step: a longer prompt takes several, and each of them decodes for everybody else, too. */
const chunkTokens = 512;

/** Of fewer recent requests than this a difference says nothing. */
const fewRecent = 4;

/** Beyond this share of busy time all waits grow without bound, and estimates of it are worth little. */
const mostBusyShare = 0.9;

/** Bytes of a block pass at host and disk speed in about this share of the time that computing it takes, where nobody measured. */
const assumedOnboardShare = { host: 0.05, disk: 0.2 } as const;

/** The times of a rank: its measured profile, else the rate it reports, else the assumed one. */
export function timesOf(rank: PricedRank, weights: TtftWeights): TtftTimes {
  const { profile } = rank.card;
  if (profile !== undefined) return timesOfProfile(profile);
  return timesOfRate(rank.load.prefillRate > 0 ? rank.load.prefillRate : weights.assumedRate);
}

/**
 * Prices the candidates in milliseconds until the first token: `queue` = prompts ahead of it, `prefill` = its own tokens
 * that no tier holds, `transfer` = blocks brought back from host and disk, `interference` = decode steps that those take
 * part in, `spread` = `spreadWeight` times the whole prompt times how much more than the mean the worker got lately, and `work` = `workWeight` times the new work times `crowding`, which other requests will wait for. A session's
 * worker is preferred by `decide`, not here.
 */
export function priceTtft(candidates: readonly Scored[], isl: number, weights: TtftWeights): void {
  const mean = candidates.reduce((sum, { rank }) => sum + rank.load.recent, 0) / candidates.length;
  const others = weights.workWeight * crowding(candidates);
  for (const one of candidates) {
    const { rank, overlap } = one;
    const { load, card } = rank;
    const { blockSize } = card;
    const times = timesOf(rank, weights);
    const below = overlap.host + overlap.disk;
    const cached = Math.min(isl - 1, (overlap.device + below) * blockSize);
    const fresh = Math.max(1, isl - Math.max(0, cached));
    const prefill = times.prefillMs(fresh, isl - fresh);
    const transfer = below === 0 ? 0 : transferMs(one, times);
    const decoding = Math.max(0, load.requests - load.waiting);
    const steps = Math.ceil((load.prefillTokens + fresh) / chunkTokens);
    const interference = decoding === 0
      ? 0
      : steps * times.decodeStepMs(decoding, load.blocks * blockSize);
    addTerm(one, "queue", load.aheadMs);
    addTerm(one, "prefill", prefill);
    addTerm(one, "transfer", transfer);
    addTerm(one, "interference", interference);
    const excess = Math.max(0, load.recent - mean) / Math.max(fewRecent, mean);
    addTerm(one, "spread", weights.spreadWeight * excess * times.prefillMs(isl, 0));
    addTerm(one, "work", others * (prefill + transfer));
  }
}

/**
 * True where a session is better left with its worker: no more waits there, against the worker where least does, than
 * `stickyBacklogMs` and what the whole prompt, computed anew elsewhere, would make others wait (as term `work` counts it, at
 * weight 1). Where all are late nothing is won by leaving, and each move puts the session's blocks in the place of others'.
 */
export function isHomeBest(
  home: Scored,
  candidates: readonly Scored[],
  { isl, weights }: { readonly isl: number; readonly weights: TtftWeights },
): boolean {
  let leastMs = Infinity;
  for (const { rank } of candidates) leastMs = Math.min(leastMs, rank.load.aheadMs);
  const moveMs = crowding(candidates) * timesOf(home.rank, weights).prefillMs(isl, 0);
  return home.rank.load.aheadMs - leastMs <= weights.stickyBacklogMs + moveMs;
}

/**
 * How much waiting of others a millisecond of work makes: `p / (1 - p)` where workers are busy for the share p of the time,
 * as in a queue with one server; 1 at a half.
 */
function crowding(candidates: readonly Scored[]): number {
  let sum = 0;
  for (const { rank } of candidates) sum += rank.load.busyShare;
  const share = Math.min(mostBusyShare, sum / candidates.length);
  return share / (1 - share);
}

function transferMs({ rank, overlap }: Scored, times: TtftTimes): number {
  const { blockSize } = rank.card;
  let ms = 0;
  for (const tier of ["host", "disk"] as const) {
    const blocks = overlap[tier];
    if (blocks === 0) continue;
    ms += times.onboardMs(tier, { blocks, blockSize }) ??
      assumedOnboardShare[tier] * times.prefillMs(blocks * blockSize, 0);
  }
  return ms;
}
