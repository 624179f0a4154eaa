import { parseConfig, seededChance } from "@pixii/runtime";
import type { SimVocabulary } from "@pixii/workers/sim";
import { mixSeed } from "./core/mix_seed.ts";
import { sweepFlags } from "./core/sweep_shape.ts";
import { simSchema } from "./sim_config.ts";
import { runSim } from "./sim_run.ts";
import { simPlanOf } from "./sim_setup.ts";

/** Which runs a sweep makes. */
export interface SweepPart {
  readonly from: number;
  readonly seeds: number;
  /** From seed to seed. */
  readonly stride: number;
  readonly minutes: number;
  /** It ends after so many failures. */
  readonly stopAfter: number;
  readonly vocabulary: SimVocabulary;
}

/** A seed that broke a promise. */
export interface SweepFailure {
  readonly seed: number;
  readonly broken: string;
  readonly atMs: number;
  /** Shows it again, and looks for the faults that are needed. */
  readonly command: string;
}

/** What a sweep, or a part of one, came to. */
export interface SweepSums {
  readonly seeds: number;
  readonly failures: readonly SweepFailure[];
  readonly requests: number;
  readonly migrated: number;
  readonly faults: number;
  readonly messages: number;
  readonly steps: number;
  /** Changes of workers' roles. */
  readonly flips: number;
  /** Blocks that came back from host tiers. */
  readonly tierHits: number;
  /** Requests by how they ended. */
  readonly ends: Readonly<Record<string, number>>;
}

/** Runs the seeds of a part, one after another; `onFailure` hears of failures at once. */
export async function sweep(
  part: SweepPart,
  onFailure: (failure: SweepFailure) => void = () => {},
): Promise<SweepSums> {
  const sums = {
    seeds: 0,
    requests: 0,
    migrated: 0,
    faults: 0,
    messages: 0,
    steps: 0,
    flips: 0,
    tierHits: 0,
  };
  const ends: Record<string, number> = {};
  const failures: SweepFailure[] = [];
  for (let i = 0; i < part.seeds && failures.length < part.stopAfter; i++) {
    const seed = part.from + i * part.stride;
    const { float: draw } = seededChance(mixSeed(seed, "sweep"));
    const flags = sweepFlags({ seed, minutes: part.minutes, draw });
    const parsed = parseConfig(simSchema, { args: flags, env: {} });
    if ("problems" in parsed) throw new TypeError(parsed.problems.join("; "));
    const read = () => Promise.resolve(undefined);
    const plan = await simPlanOf(parsed.config, { vocabulary: part.vocabulary, read });
    if (!plan.ok) throw new TypeError(plan.error.message);
    const { violation, stories, messages, steps, flips, tierHits } = await runSim(plan.value);
    sums.seeds += 1;
    sums.faults += plan.value.faults.length;
    sums.requests += stories.length;
    sums.messages += messages;
    sums.steps += steps;
    sums.flips += flips;
    sums.tierHits += tierHits;
    for (const { end, attempts } of stories) {
      ends[end] = (ends[end] ?? 0) + 1;
      if (attempts > 1) sums.migrated += 1;
    }
    if (violation === undefined) continue;
    const { message: broken, atMs } = violation;
    const failure = { seed, broken, atMs, command: `deno task sim ${flags.join(" ")}` };
    failures.push(failure);
    onFailure(failure);
  }
  return { ...sums, ends, failures };
}

/** The parts of a sweep as one. */
export function joinSums(parts: readonly SweepSums[]): SweepSums {
  const sum = (of: (part: SweepSums) => number) =>
    parts.reduce((total, part) => total + of(part), 0);
  const ends: Record<string, number> = {};
  for (const part of parts) {
    for (const [end, count] of Object.entries(part.ends)) ends[end] = (ends[end] ?? 0) + count;
  }
  return {
    ...{ seeds: sum((one) => one.seeds), requests: sum((one) => one.requests), ends },
    ...{ migrated: sum((one) => one.migrated), faults: sum((one) => one.faults) },
    ...{ messages: sum((one) => one.messages), steps: sum((one) => one.steps) },
    ...{ flips: sum((one) => one.flips), tierHits: sum((one) => one.tierHits) },
    failures: parts.flatMap((one) => one.failures).toSorted((a, b) => a.seed - b.seed),
  };
}
