import { bestSplit, needOf } from "@pixii/planner/core";
import { capacityOf, clairvoyant, planned, still, thresholds } from "./governors.ts";
import type { Foresight, GovernedWorld, Split, Thresholds } from "./governors.ts";
import type { LoadSeries } from "./load_series.ts";
import { runPlanner } from "./planner_run.ts";
import type { PlannerRun } from "./planner_run.ts";

/** Share of the requests that everybody is to serve within the promise. */
export const attainmentAim = 0.99;
const least = { prefill: 1, decode: 1, both: 0 };
/** The planner's headroom is looked for in such steps where its usual rules miss the aim. */
const plannerStep = 0.02;
/** A clairvoyant's headroom is looked for in such steps, down to this and up to that. */
const headroomStep = 0.05;
const [leastHeadroom, mostHeadroom] = [-0.25, 0.5] as const;
/** Means over which a clairvoyant looks at what comes. */
const smoothings = [60_000, 180_000] as const;

/** A run and how its governor was set. */
export interface SetRun {
  readonly run: PlannerRun;
  readonly setting: string;
}

/** Everybody's runs over one load in one world. */
export class Rivals {
  readonly #series: LoadSeries;
  readonly #world: GovernedWorld;
  readonly #statics = new Map<string, PlannerRun>();
  readonly #mostBreaches: number;

  constructor(series: LoadSeries, world: GovernedWorld) {
    this.#series = series;
    this.#world = world;
    this.#mostBreaches = Math.floor((1 - attainmentAim) * series.requests.length);
  }

  /** The planner with its usual rules; where it misses the aim, with the least headroom that reaches it. */
  planner(): { readonly usual: PlannerRun; readonly reaching: SetRun } {
    const usual = this.#run(planned(this.#world));
    if (usual.attainment >= attainmentAim) {
      return { usual, reaching: { run: usual, setting: "usual rules" } };
    }
    for (let headroom = plannerStep; headroom <= mostHeadroom; headroom *= 1.5) {
      const run = this.#run(planned(this.#world, { headroom }), this.#mostBreaches);
      if (isGood(run)) {
        return { usual, reaching: { run, setting: `headroom ${headroom.toFixed(3)}` } };
      }
    }
    return { usual, reaching: { run: usual, setting: "usual rules: the aim is out of reach" } };
  }

  /** The clairvoyant planner with the settings that reach the aim in the fewest GPU-hours. */
  clairvoyant(): SetRun {
    let best: SetRun | undefined;
    for (const smoothMs of smoothings) {
      const at = (headroom: number) => {
        const foresight: Foresight = { headroom, smoothMs };
        return this.#run(
          clairvoyant(this.#world, this.#series.means, foresight),
          this.#mostBreaches,
        );
      };
      // From where it reaches the aim down to where it does not; then half a step back.
      let headroom = 0;
      let run = at(headroom);
      while (!isGood(run) && headroom < mostHeadroom) run = at(headroom += headroomStep);
      while (isGood(run) && headroom > leastHeadroom) {
        best = better(best, { run, setting: settingOf(headroom, smoothMs) });
        run = at(headroom -= headroomStep);
      }
      run = at(headroom += headroomStep / 2);
      if (isGood(run)) best = better(best, { run, setting: settingOf(headroom, smoothMs) });
    }
    if (best === undefined) throw new Error("no foresight reaches the aim");
    return best;
  }

  /** The threshold scaler with the settings that reach the aim in the fewest GPU-hours, by turns of one setting. */
  threshold(): SetRun | undefined {
    let setting: Thresholds = { prompts: 0.8, answers: 12, holdMs: 300_000, looks: 3 };
    const at = (one: Thresholds) => this.#run(thresholds(one), this.#mostBreaches);
    let run = at(setting);
    for (let tries = 0; !isGood(run) && tries < 12; tries++) {
      const isLate = 2 * run.lateFirst > run.breaches;
      const { prompts, answers } = setting;
      setting = {
        ...setting,
        prompts: isLate ? 0.75 * prompts : prompts,
        answers: isLate ? answers : 0.85 * answers,
      };
      run = at(setting);
    }
    if (!isGood(run)) return undefined;
    const turns: readonly ((from: Thresholds) => Thresholds)[] = [
      (from) => ({ ...from, answers: 1.1 * from.answers }),
      (from) => ({ ...from, prompts: 1.15 * from.prompts }),
      (from) => ({ ...from, holdMs: 120_000 }),
      (from) => ({ ...from, holdMs: 600_000, prompts: 1.2 * from.prompts }),
      (from) => ({ ...from, looks: 6 }),
      (from) => ({ ...from, answers: 1.1 * from.answers }),
      (from) => ({ ...from, prompts: 1.15 * from.prompts }),
    ];
    for (const turn of turns) {
      const next = turn(setting);
      const tried = at(next);
      if (isGood(tried) && tried.gpuHours < run.gpuHours) [setting, run] = [next, tried];
    }
    const { prompts, answers, holdMs, looks } = setting;
    const text = `${prompts.toFixed(2)} prompts and ${answers.toFixed(1)} answers a worker, hold ${
      holdMs / 1000
    } s, mean of ${looks}`;
    return { run, setting: text };
  }

  /** The split of so many GPUs with the fewest breaches; looked for from the planner's own idea of it. */
  staticOf(gpus: number, mostBreaches = Infinity): PlannerRun {
    const all = this.#series.means.over(0, 2 * this.#series.hours * 3_600_000);
    const mix = { ...all, newTokens: all.isl };
    let { prefill } = bestSplit(capacityOf(this.#world), mix, { gpus, least });
    let best = this.#static({ prefill, decode: gpus - prefill }, mostBreaches);
    const tried = new Set([prefill]);
    for (;;) {
      if (mostBreaches < Infinity && isGood(best)) return best;
      const way = 2 * best.lateFirst > best.breaches ? 1 : -1;
      const next = [prefill + way, prefill - way].find((one) =>
        one >= 1 && one < gpus && !tried.has(one)
      );
      if (next === undefined) return best;
      tried.add(next);
      const most = best.isCut ? mostBreaches : Math.min(mostBreaches, best.breaches);
      const run = this.#static({ prefill: next, decode: gpus - next }, most);
      if (!isFewer(run, best)) {
        // One step past the best on either side is enough: breaches rise from there on.
        if (tried.size > 2 || best.isCut) return best;
        continue;
      }
      best = run;
      prefill = next;
    }
  }

  /** The fewest GPUs whose best split reaches the aim, looked for from a guess on. */
  leastStatic(guessGpus: number): PlannerRun {
    const at = (gpus: number) => this.staticOf(gpus, this.#mostBreaches);
    let high = Math.max(2, guessGpus);
    let best = at(high);
    let low = 1;
    while (!isGood(best)) {
      low = high;
      best = at(high = Math.ceil(1.15 * high));
    }
    while (high - low > 1) {
      const middle = low === 1 ? Math.max(2, Math.floor(0.85 * high)) : (low + high) >> 1;
      const run = at(middle);
      if (isGood(run)) [high, best] = [middle, run];
      else low = middle;
    }
    return best;
  }

  #static(split: Split, mostBreaches: number): PlannerRun {
    const key = `${split.prefill}+${split.decode}`;
    const known = this.#statics.get(key);
    if (known !== undefined && (!known.isCut || known.breaches > mostBreaches)) return known;
    const { requests } = this.#series;
    const run = runPlanner(requests, {
      ...{ world: this.#world, governor: still, begin: split, mostBreaches },
    });
    const named = { ...run, name: `static ${key}` };
    this.#statics.set(key, named);
    return named;
  }

  #run(governor: Parameters<typeof runPlanner>[1]["governor"], mostBreaches?: number): PlannerRun {
    const { requests, means } = this.#series;
    const { rate, isl, osl } = means.over(0, 300_000);
    const mix = { rate: 1.2 * rate, isl, newTokens: isl, osl };
    const begin = needOf(capacityOf(this.#world), mix, { layout: "split", most: 200 });
    return runPlanner(requests, { world: this.#world, governor, begin, mostBreaches });
  }
}

function isGood(run: PlannerRun): boolean {
  return !run.isCut && run.attainment >= attainmentAim;
}

function isFewer(a: PlannerRun, b: PlannerRun): boolean {
  // Of two that were given up the one that came further is the better one.
  if (a.isCut && b.isCut) return a.arrived > b.arrived;
  return !a.isCut && (b.isCut || a.attainment > b.attainment);
}

function better(a: SetRun | undefined, b: SetRun): SetRun {
  return a === undefined || b.run.gpuHours < a.run.gpuHours ? b : a;
}

function settingOf(headroom: number, smoothMs: number): string {
  return `headroom ${headroom.toFixed(3)}, means of ${smoothMs / 1000} s`;
}
