import type { Counts } from "./capacity/need.ts";
import type { PhaseCapacity } from "./capacity/phase_capacity.ts";
import type { Mix } from "./capacity/service_goal.ts";
import type { SeenModel } from "./observation.ts";

/** Most answers that wait for a place at one worker that are believed. */
const mostWaiting = 4_096;

/** What the workers could serve, per second: requests, prompt tokens, answer tokens. */
export interface ServedRates {
  readonly requests: number;
  readonly prompts: number;
  readonly answers: number;
}

/** What workers serve within the goal, per second. */
export function servedBy(capacity: PhaseCapacity, have: Counts, mix: Mix): ServedRates {
  const both = have.both === 0 ? 0 : capacity.bothRate(have.both, mix);
  const prefill = both + capacity.prefillRate(have.prefill, mix);
  const decode = both + capacity.decodeRate(have.decode, mix);
  const times = (rate: number, tokens: number) => tokens === 0 ? Infinity : rate * tokens;
  return {
    requests: Math.min(prefill, decode),
    prompts: times(prefill, mix.newTokens),
    answers: times(decode, mix.osl),
  };
}

/**
 * Answer tokens per second that decode workers are asked for now: what they make, from how many answers each has, and as
 * much again for each answer that waits for a place. Without those a worker that is full would seem to have just enough; and
 * where steps take longer than `itlMs` all its answers ask for a token in that time, though it makes fewer.
 */
export function madeRate(
  { workers, times, maxSeqs }: SeenModel,
  { mix, itlMs }: { readonly mix: Mix; readonly itlMs: number },
): number {
  if (times === undefined) return 0;
  const context = mix.isl + mix.osl / 2;
  return workers.reduce((sum, { role, state, running, waiting }) => {
    if (role !== "decode" || state === "stale" || !(running > 0)) return sum;
    const answers = Math.min(running, maxSeqs);
    const asked = answers + (waiting > 0 ? Math.min(waiting, mostWaiting) : 0);
    // A goal that an idle worker misses asks for nothing more: no number of workers reaches it.
    const goalMs = Math.max(itlMs, times.decodeStepMs(1, context));
    return sum + asked * 1000 / Math.min(goalMs, times.decodeStepMs(answers, answers * context));
  }, 0);
}

/** What a step takes with the batches that decode workers have now, ms: the mean over their answers; 0 where none runs. */
export function stepMsOf({ workers, times, maxSeqs }: SeenModel, mix: Mix): number {
  if (times === undefined) return 0;
  const context = mix.isl + mix.osl / 2;
  let [sum, count] = [0, 0];
  for (const { role, state, running } of workers) {
    if (role !== "decode" || state === "stale" || !(running > 0)) continue;
    const answers = Math.min(running, maxSeqs);
    sum += answers * times.decodeStepMs(answers, answers * context);
    count += answers;
  }
  return count === 0 ? 0 : sum / count;
}
