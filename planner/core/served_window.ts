import { binQuantile, timeOfBin } from "@pixii/wire";
import type { ServedStreams } from "@pixii/wire";
import type { ServiceGoal } from "./capacity/service_goal.ts";

/** What served streams were like; means per stream. */
export interface ServedMix {
  readonly streams: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Share of prompt tokens that caches had, 0..1. */
  readonly hitRate: number;
  /** 95th percentiles; absent where no stream had one. */
  readonly ttftP95Ms?: number;
  readonly itlP95Ms?: number;
}

/** Shares of streams beyond the goals, 0..1, to within a bin of time; absent where no stream had such a time. */
export interface LateShares {
  readonly lateFirst?: number;
  readonly lateNext?: number;
}

/** Most reports kept; older ones make room. */
const mostReports = 8_192;

interface Kept {
  readonly atMs: number;
  readonly served: ServedStreams;
}

/** What frontends told of the streams that ended lately. Pure: time comes with each call and never runs backwards. */
export class ServedWindow {
  readonly #windowMs: number;
  #kept: Kept[] = [];

  /** `windowMs`: how far back. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Takes a report. */
  add(served: ServedStreams, nowMs: number): void {
    this.#kept.push({ atMs: nowMs, served });
    if (this.#kept.length > mostReports) this.#kept = this.#kept.slice(mostReports / 2);
  }

  /** Of the last `spanMs` of the window; undefined where nothing was served in it. O(reports). */
  mix(nowMs: number, spanMs: number = this.#windowMs): ServedMix | undefined {
    this.#kept = this.#kept.filter(({ atMs }) => nowMs - atMs <= this.#windowMs);
    const taken = this.#kept.filter(({ atMs }) => nowMs - atMs <= spanMs);
    const sum = (of: (served: ServedStreams) => number) =>
      taken.reduce((total, { served }) => total + of(served), 0);
    const streams = sum((served) => served.streams);
    if (streams === 0) return undefined;
    const promptTokens = sum((served) => served.promptTokens);
    const ttftP95Ms = binQuantile(taken.flatMap(({ served }) => served.ttft), 0.95);
    const itlP95Ms = binQuantile(taken.flatMap(({ served }) => served.itl), 0.95);
    return {
      streams,
      promptTokens: promptTokens / streams,
      outputTokens: sum((served) => served.outputTokens) / streams,
      hitRate: promptTokens === 0 ? 0 : sum((served) => served.cachedTokens) / promptTokens,
      ...(ttftP95Ms === undefined ? {} : { ttftP95Ms }),
      ...(itlP95Ms === undefined ? {} : { itlP95Ms }),
    };
  }

  /** How many of the last `spanMs` missed a goal. O(reports). */
  late(nowMs: number, spanMs: number, goal: ServiceGoal): LateShares {
    const taken = this.#kept.filter(({ atMs }) => nowMs - atMs <= spanMs);
    const lateFirst = lateShare(taken.flatMap(({ served }) => served.ttft), goal.ttftMs);
    const lateNext = lateShare(taken.flatMap(({ served }) => served.itl), goal.itlMs);
    return {
      ...(lateFirst === undefined ? {} : { lateFirst }),
      ...(lateNext === undefined ? {} : { lateNext }),
    };
  }
}

function lateShare(bins: ServedStreams["ttft"], goalMs: number): number | undefined {
  const count = (all: ServedStreams["ttft"]) => all.reduce((sum, [, many]) => sum + many, 0);
  const total = count(bins);
  return total === 0 ? undefined : count(bins.filter(([bin]) => timeOfBin(bin) > goalMs)) / total;
}
