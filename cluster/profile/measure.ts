import { medianOf, monotone } from "./core/monotone.ts";
import { besidesContext, besidesRoom, roomFor } from "./core/profile_grid.ts";
import type { ProfileGrid } from "./core/profile_grid.ts";
import { promptTokens } from "./core/prompt_tokens.ts";
import type { EngineBench } from "./engine_bench.ts";
import type { EngineProbe } from "./engine_probe.ts";

/** Prompt tokens whose way back from the host tier is measured; a few prompts of them drive one another out. */
const onboardTokens = 1024;
const onboardRounds = 3;
const hostBytes = 512 * 1024 * 1024;

/** Engines that each context's decode steps are measured on, one after the other. */
const decodeRounds = 2;

/** How far a measurement is. */
export interface MeasureProgress {
  /** `tokens` more were computed, for the point named. */
  done(tokens: number, point: string): void;
}

/** What is measured with. */
export interface Measure {
  readonly bench: EngineBench;
  readonly grid: ProfileGrid;
  readonly vocabSize: number;
  readonly progress: MeasureProgress;
}

/** A table as a profile has it: a row per point of the first axis. */
export interface MeasuredTable {
  readonly contextTokens: number[];
  readonly ms: number[][];
}

/** Tokens that the whole of a grid computes, for the progress. */
export function tokensOf(
  { newTokens, prefillContexts, sequences, decodeContexts, rounds, besides }: ProfileGrid,
): number {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  return sum(prefillContexts) + besidesContext * sum(besides) +
    (prefillContexts.length + besides.length) * rounds * sum(newTokens) +
    decodeRounds * Math.max(...sequences) * sum(decodeContexts);
}

/** Prefill times, a fresh engine per context; the rounds go over all points, since a machine's speed drifts. */
export async function measurePrefill(measure: Measure): Promise<MeasuredTable> {
  const { grid, bench } = measure;
  const columns: number[][] = [];
  for (const context of grid.prefillContexts) {
    await using probe = await bench.open();
    const times: number[][] = grid.newTokens.map(() => []);
    if (context > 0) await prime(probe, measure, context);
    for (let round = 0; round < grid.rounds; round++) {
      for (const [at, count] of grid.newTokens.entries()) {
        times[at].push(await prefillOnce(probe, measure, { context, count, salt: round + 1 }));
        measure.progress.done(count, `prefill of ${count} behind ${context}`);
      }
    }
    columns.push(times.map(medianOf));
  }
  const ms = grid.newTokens.map((_, i) => columns.map((column) => column[i]));
  return { contextTokens: [...grid.prefillContexts], ms: monotone(ms) };
}

async function prime(probe: EngineProbe, measure: Measure, context: number): Promise<void> {
  const tokens = promptTokens(measure.vocabSize, [{ count: context + 1, salt: context }]);
  await probe.begin(tokens, 1);
  measure.progress.done(context, `the ${context} before it`);
}

async function prefillOnce(
  probe: EngineProbe,
  measure: Measure,
  { context, count, salt }: {
    readonly context: number;
    readonly count: number;
    readonly salt: number;
  },
): Promise<number> {
  const tokens = promptTokens(measure.vocabSize, [
    { count: context, salt: context },
    { count, salt: salt * 1_000_003 + count },
  ]);
  const first = await probe.begin(tokens, 1);
  if (first.device === context) return first.ms;
  // The engine gave up what was before it: once more, with another end.
  await prime(probe, measure, context);
  tokens[tokens.length - 1] ^= 1;
  const second = await probe.begin(tokens, 1);
  if (second.device >= context) return second.ms;
  throw new Error(
    `Cannot measure a prefill behind ${context} tokens: only ${second.device} of them stay cached; use a smaller grid or more room`,
  );
}

/**
 * Decode times, a fresh engine per context and round: sequences come one after another, and steps are timed at each count.
 * Rounds go over all contexts, since a machine's speed drifts: what one moment said of a point, another may not.
 */
export async function measureDecode(measure: Measure): Promise<MeasuredTable> {
  const { grid } = measure;
  const times: number[][][] = grid.decodeContexts.map(() => grid.sequences.map(() => []));
  const seen: number[][] = grid.decodeContexts.map(() => []);
  for (let round = 0; round < decodeRounds; round++) {
    for (const [at, context] of grid.decodeContexts.entries()) {
      await decodeOnce(measure, { context, times: times[at], seen: seen[at] });
    }
  }
  const ms = grid.sequences.map((_, i) => times.map((column) => medianOf(column[i])));
  // What the steps really had behind them: the prompt and what was said meanwhile.
  const contextTokens = seen.map((tokens) => Math.round(medianOf(tokens)));
  return { contextTokens, ms: monotone(ms) };
}

/** Adds the median step of each count of sequences to `times`, and the tokens behind each to `seen`. */
async function decodeOnce(
  { grid, bench, vocabSize, progress }: Measure,
  { context, times, seen }: {
    readonly context: number;
    readonly times: readonly number[][];
    readonly seen: number[];
  },
): Promise<void> {
  await using probe = await bench.open();
  const maxTokens = roomFor(grid);
  for (let count = 1; count <= Math.max(...grid.sequences); count++) {
    const salt = 7_000_003 + 1009 * context + count;
    await probe.begin(promptTokens(vocabSize, [{ count: context, salt }]), maxTokens);
    progress.done(context, `decode of ${count} at ${context}`);
    const at = grid.sequences.indexOf(count);
    if (at < 0) continue;
    times[at].push(medianOf(await probe.steps(grid.steps)));
    seen.push(probe.liveTokens / count);
  }
  await probe.clear();
}

/** Times to first token while others decode, a fresh engine per number of them. */
export async function measureBesides(
  measure: Measure,
): Promise<{ readonly sequences: number[]; readonly ms: number[][] }> {
  const { grid, bench, vocabSize } = measure;
  const columns: number[][] = [];
  for (const others of grid.besides) {
    await using probe = await bench.open();
    for (let at = 0; at < others; at++) {
      const tokens = promptTokens(vocabSize, [{ count: besidesContext, salt: 11_000_027 + at }]);
      await probe.begin(tokens, besidesRoom(grid));
      measure.progress.done(besidesContext, `${at + 1} that decode`);
    }
    const times: number[][] = grid.newTokens.map(() => []);
    for (let round = 0; round < grid.rounds; round++) {
      for (const [at, count] of grid.newTokens.entries()) {
        const salt = (round + 1) * 1_000_033 + count;
        const first = await probe.begin(promptTokens(vocabSize, [{ count, salt }]), 1);
        times[at].push(first.ms);
        measure.progress.done(count, `first token of ${count} beside ${others}`);
      }
    }
    await probe.clear();
    columns.push(times.map(medianOf));
  }
  const ms = grid.newTokens.map((_, i) => columns.map((column) => column[i]));
  return { sequences: [...grid.besides], ms: monotone(ms) };
}

/** Milliseconds of a block on its way back from the host tier; undefined where there is none. */
export async function measureOnboard(measure: Measure): Promise<number | undefined> {
  const tiered = await measure.bench.openTiered(hostBytes);
  if (tiered === undefined) return undefined;
  await using _ = tiered;
  const { probe } = tiered;
  const totals = () => probe.engine.hostTier?.totals ?? { onboarded: 0, onboardMs: 0 };
  const ask = (salt: number) =>
    probe.begin(
      promptTokens(measure.vocabSize, [{ count: onboardTokens, salt: 9_000_011 + salt }]),
      1,
    );
  const times: number[] = [];
  for (let round = 0; round <= onboardRounds; round++) {
    for (const salt of [1, 2]) {
      const before = { ...totals() };
      await ask(salt);
      const { onboarded, onboardMs } = totals();
      const blocks = onboarded - before.onboarded;
      if (blocks > 0) times.push((onboardMs - before.onboardMs) / blocks);
    }
  }
  return times.length === 0 ? undefined : medianOf(times);
}
