import { WorkerTimes } from "@pixii/wire";
import type { SeenModel } from "./observation.ts";
import { kindOf } from "./plan_input.ts";
import type { InputLine, StepModel } from "./plan_input.ts";
import type { PlanRecord } from "./plan_record.ts";
import { PlannerCore } from "./planner_core.ts";
import type { ModelRules, PlannerRules } from "./rules.ts";

type Open<T> = { -readonly [K in keyof T]: T[K] };

/** One planner that is made again. */
interface Again {
  core: PlannerCore | undefined;
  rules: Open<PlannerRules> | undefined;
  readonly times: Map<number, WorkerTimes>;
}

/** A kept decision, by its planner. */
export interface KeptRecord {
  readonly by: string;
  readonly record: PlanRecord;
}

/** What came of making decisions again. */
export interface ReplayResult {
  /** Steps that were made again. */
  readonly steps: number;
  /** Kept records that came out the same, bit for bit. */
  readonly equal: number;
  /** Those that did not: the first place where they differ, in words. */
  readonly different: readonly {
    readonly by: string;
    readonly id: number;
    readonly what: string;
  }[];
  /** Kept records whose step, or a step before it, is not among the inputs. */
  readonly missing: number;
}

/**
 * Fresh cores that are given what planners were given, from the beginning on: a core holds what it has learned in itself, so
 * a step comes out the same only behind all the steps before it.
 */
export class PlanReplay {
  readonly #planners = new Map<string, Again>();
  /** Steps that had no beginning before them, or no profile: they were not made again. */
  passedOver = 0;
  steps = 0;

  /** Takes the next line and answers the records of that step, outcomes first. */
  take(line: InputLine): readonly PlanRecord[] {
    if (line.kind === "begin") {
      this.#planners.set(line.by, { core: undefined, rules: undefined, times: new Map() });
      return [];
    }
    const again = this.#planners.get(line.by);
    if (again === undefined) {
      if (line.kind === "step") this.passedOver += 1;
      return [];
    }
    if (line.kind === "profile") again.times.set(line.number, new WorkerTimes(line.profile));
    else if (line.kind === "rules") again.rules = changed(again.rules, line.rules);
    else return this.#step(again, line);
    return [];
  }

  #step(again: Again, line: Extract<InputLine, { readonly kind: "step" }>): readonly PlanRecord[] {
    if (again.rules === undefined) {
      this.passedOver += 1;
      return [];
    }
    again.core ??= new PlannerCore(again.rules);
    this.steps += 1;
    const models = line.models.map((one) => seenOf(one, again.times));
    const seen = { ...kindOf(line), models };
    try {
      const outcomes = again.core.outcomes(seen);
      return [...outcomes, ...again.core.step(seen, line.overrides)];
    } catch {
      // The planner's own step failed here in the same way; it kept no record of it.
      return [];
    }
  }
}

/** Makes decisions again and compares them with what was kept of them. O(steps). */
export function replayPlans(
  inputs: Iterable<InputLine>,
  kept: readonly KeptRecord[],
): ReplayResult {
  const wanted = new Map(kept.map((one) => [keyOf(one), one]));
  const replay = new PlanReplay();
  const different: { by: string; id: number; what: string }[] = [];
  let equal = 0;
  for (const line of inputs) {
    for (const record of replay.take(line)) {
      const key = keyOf({ by: line.by, record });
      const was = wanted.get(key);
      if (was === undefined) continue;
      wanted.delete(key);
      const what = differenceOf(was.record, record);
      if (what === undefined) equal += 1;
      else different.push({ by: line.by, id: record.id, what });
    }
  }
  return { steps: replay.steps, equal, different, missing: wanted.size };
}

/** A decision and what came of it are two records. */
function keyOf({ by, record }: KeptRecord): string {
  return `${by}.${record.id}.${record.outcome === undefined ? "" : "outcome"}`;
}

/** As JSON both have the same bytes, or the first field that has not is named. */
function differenceOf(was: PlanRecord, is: PlanRecord): string | undefined {
  if (JSON.stringify(was) === JSON.stringify(is)) return undefined;
  const [before, after] = [was, is].map((one) => one as unknown as Record<string, unknown>);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  for (const name of names) {
    const [a, b] = [before[name], after[name]].map((value) => JSON.stringify(value) ?? "nothing");
    if (a !== b) return `${name} was ${a} and is ${b}`;
  }
  return "its fields have another order";
}

/** Rules change in place, as a planner's do: its core looks at them in every step. */
function changed(known: Open<PlannerRules> | undefined, now: PlannerRules): Open<PlannerRules> {
  if (known === undefined) return { ...now, models: now.models.map((one) => ({ ...one })) };
  const models = known.models as Open<ModelRules>[];
  const next = now.models.map((rules) =>
    Object.assign(models.find(({ model }) => model === rules.model) ?? {}, rules)
  );
  models.splice(0, models.length, ...next);
  return Object.assign(known, now, { models });
}

function seenOf(
  { profile, ...model }: StepModel,
  times: ReadonlyMap<number, WorkerTimes>,
): SeenModel {
  const known = profile === undefined ? undefined : times.get(profile);
  return { ...model, demand: model.demand, times: known };
}
