import type { WorkerTimes } from "@pixii/wire";
import { Seeded } from "./seeded.ts";

/** One kind of traffic. */
export interface LiveTraffic {
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Arrivals a second, evenly spread but for a third of a gap of chance. */
  readonly perSecond: number;
}

/** Traffic that shifts from one kind to another, and what is promised of both. */
export interface LiveShift {
  readonly first: LiveTraffic;
  readonly then: LiveTraffic;
  readonly goal: { readonly ttftMs: number; readonly itlMs: number };
}

/** Sizes of the two kinds of requests. */
export interface LiveSizes {
  readonly longPrompt: number;
  readonly shortOutput: number;
  readonly shortPrompt: number;
  readonly longOutput: number;
  /** Sequences that a worker decodes at a time. */
  readonly maxSeqs: number;
}

/** One request. */
export interface LiveRequest {
  /** From the begin of the run. */
  readonly atMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

/** What one request came to; without times it had not ended when the run did. */
export interface LiveOutcome {
  readonly atMs: number;
  readonly ttftMs?: number;
  /** Mean milliseconds between two tokens. */
  readonly itlMs?: number;
  /** It failed: refused, cut short, or with another number of tokens. */
  readonly failure?: string;
}

/** Share of one worker's time that the long prompts take: too much for one prefill worker, well within two. */
const promptLoad = 1.2;
/** Answers at a time, in what one decode worker holds: too many for one, well within two. */
const answerLoad = 1.25;
/** The first token may take so many times a long prompt's time, and a further one so many times a full batch's step. */
const goalTimes = { ttft: 3.5, itl: 2.2 } as const;

/** Traffic that asks too much of the wrong split of three workers and little enough of the right one, by the worker's measured times. */
export function liveShift(times: WorkerTimes, sizes: LiveSizes): LiveShift {
  const { longPrompt, shortOutput, shortPrompt, longOutput, maxSeqs } = sizes;
  const promptMs = times.prefillMs(longPrompt, 0);
  const stepMs = times.decodeStepMs(maxSeqs, maxSeqs * (shortPrompt + longOutput / 2));
  return {
    first: {
      ...{ promptTokens: longPrompt, outputTokens: shortOutput },
      perSecond: promptLoad * 1000 / promptMs,
    },
    then: {
      ...{ promptTokens: shortPrompt, outputTokens: longOutput },
      perSecond: answerLoad * maxSeqs * 1000 / (longOutput * stepMs),
    },
    goal: { ttftMs: goalTimes.ttft * promptMs, itlMs: goalTimes.itl * stepMs },
  };
}

/** The requests of a run: `first` until `shiftMs`, `then` until `endMs`. The same seed, the same requests. */
export function liveRequests(
  { first, then }: LiveShift,
  { shiftMs, endMs, seed }: {
    readonly shiftMs: number;
    readonly endMs: number;
    readonly seed: number;
  },
): readonly LiveRequest[] {
  const chance = new Seeded(seed);
  const requests: LiveRequest[] = [];
  const add = (
    { perSecond, promptTokens, outputTokens }: LiveTraffic,
    from: number,
    to: number,
  ) => {
    const gapMs = 1000 / perSecond;
    for (let at = from; at < to; at += gapMs) {
      const atMs = at + gapMs * chance.below(1000) / 3000;
      requests.push({ atMs, promptTokens, outputTokens });
    }
  };
  add(first, 0, shiftMs);
  add(then, shiftMs, endMs);
  return requests;
}

/** Share of the requests that arrived in [from, to) and were served within the goal; NaN where none arrived. */
export function shareWithin(
  outcomes: readonly LiveOutcome[],
  { ttftMs, itlMs }: LiveShift["goal"],
  { from, to }: { readonly from: number; readonly to: number },
): number {
  const asked = outcomes.filter(({ atMs }) => atMs >= from && atMs < to);
  const served = asked.filter((one) =>
    one.failure === undefined && one.ttftMs !== undefined && one.ttftMs <= ttftMs &&
    (one.itlMs ?? 0) <= itlMs
  );
  return served.length / asked.length;
}
