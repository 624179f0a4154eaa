/**
 * Rows of `bench:kv`: what splitting prefill from decode costs and what it gives, on a real model and the same two
 * cores. Two clusters of two workers each, one split and one not, take turns.
 */
import { startDev } from "./child.ts";
import type { Dev } from "./child.ts";
import { median, quantile } from "./figure.ts";
import type { Figure } from "./figure.ts";
import { seededPrompt, streamTimes } from "./stream_times.ts";

/** Served names of the two clusters. */
const names = { split: "split", whole: "whole" } as const;
type Name = keyof typeof names;

/** Prompts of a hand-over, in tokens. */
const lengths = [512, 2048, 4096] as const;
const decodeTokens = 24;
/** K and V of a token of SmolLM2 in f16. */
const bytesPerToken = 23_040;
/** Streams that decode beside long prompts, and how long those are. */
const besideStreams = 4;
const besideTokens = 2048;

/** Starts both clusters as one: four workers, of which two work at a time. */
async function startBoth(model: string): Promise<Dev> {
  const dev = await startDev([
    ...["--model", `${model},prefill=1,decode=1`, "--served-name", names.split],
    ...["--model", `${model},workers=2`, "--served-name", names.whole],
    ...["--threads", "1", "--max-seqs", "8", "--kv-host", "2GiB"],
    ...["--router.split-max-local-prefill-length", "256"],
  ]);
  for (let seed = 1; seed < 200; seed++) {
    const prompt = seededPrompt(seed, 300);
    const times = await streamTimes({ url: dev.url, model: names.split, prompt, tokens: 2 });
    if (times.prefillWorker !== undefined) return dev;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no prompt was split");
}

/** Bytes a second of copying a block's worth of memory again and again. */
function copyBandwidth(): number {
  const from = new Uint8Array(64 * 2 ** 20).fill(1);
  const to = new Uint8Array(from.length).fill(2);
  const seconds: number[] = [];
  for (let i = 0; i < 8; i++) {
    const startedMs = performance.now();
    to.set(from);
    seconds.push((performance.now() - startedMs) / 1000);
  }
  return from.length / median(seconds);
}

/** Milliseconds between the first two tokens beyond the ordinary gap, by prompt length: what a hand-over adds. */
async function penalties(
  dev: Dev,
  { runs, longest }: Pick<HandoverOptions, "runs" | "longest">,
): Promise<Figure[]> {
  const bandwidth = copyBandwidth();
  const figures: Figure[] = [];
  let seed = 1_000;
  for (const length of lengths.filter((one) => one <= longest)) {
    const added: Record<Name, number[]> = { split: [], whole: [] };
    const ttft: Record<Name, number[]> = { split: [], whole: [] };
    for (let run = 0; run < runs; run++) {
      for (const name of ["split", "whole"] as const) {
        const prompt = seededPrompt(seed++, length);
        const ask = { url: dev.url, model: names[name], prompt, tokens: decodeTokens };
        const { sentMs, tokenMs, prefillWorker } = await streamTimes(ask);
        if (name === "split" && prefillWorker === undefined) throw new Error("it was not split");
        const gaps = tokenMs.slice(1).map((ms, i) => ms - tokenMs[i]);
        added[name].push(gaps[0] - median(gaps.slice(1)));
        ttft[name].push(tokenMs[0] - sentMs);
      }
    }
    const anchorValue = length * bytesPerToken / bandwidth * 1000 + 3;
    const value = median(added.split);
    figures.push({
      ...{ figure: `kv.handover_penalty.${length}`, value, unit: "ms", better: "lower" },
      ...{ anchor: "bytes / copy bandwidth + 3 ms", anchorValue, ratio: value / anchorValue },
      runs: added.split,
    });
    // The first gap of a whole worker is no ordinary one either: a step of one token follows one of many.
    const beyond = added.split.map((ms, run) => ms - added.whole[run]);
    figures.push({
      ...{ figure: `kv.handover_beyond_whole.${length}`, value: median(beyond), unit: "ms" },
      ...{ better: "lower", anchor: "the same gap in a whole worker, ms", runs: beyond },
      anchorValue: median(added.whole),
    });
    const [mine, other] = [median(ttft.split), median(ttft.whole)];
    figures.push({
      ...{ figure: `disagg.ttft_alone.${length}`, value: mine, unit: "ms", better: "lower" },
      ...{ anchor: "one worker", anchorValue: other, ratio: mine / other, runs: ttft.split },
    });
  }
  return figures;
}

/** Gaps between the tokens of streams that decode, and the first tokens of long prompts beside them. */
async function beside(
  dev: Dev,
  { name, seconds, seed, longest }: {
    readonly name: Name;
    readonly seconds: number;
    readonly seed: number;
    readonly longest: number;
  },
): Promise<{ readonly gaps: number[]; readonly ttft: number[] }> {
  const end = new AbortController();
  const gaps: number[] = [];
  const ttft: number[] = [];
  const untilMs = performance.now() + seconds * 1000;
  const isOver = () => performance.now() > untilMs;
  const decoding = async (lane: number) => {
    for (let turn = 0; !isOver(); turn++) {
      let lastMs: number | undefined;
      const prompt = seededPrompt(seed + 1_000 * lane + turn, 64);
      const onToken = (ms: number) => {
        if (lastMs !== undefined && !isOver()) gaps.push(ms - lastMs);
        lastMs = ms;
      };
      const ask = { url: dev.url, model: names[name], prompt, tokens: 400, onToken };
      await streamTimes({ ...ask, signal: end.signal }).catch((error) => {
        if (!end.signal.aborted) throw error;
      });
    }
  };
  const prompting = async () => {
    for (let turn = 0; !isOver(); turn++) {
      const prompt = seededPrompt(seed + 50_000 + turn, Math.min(longest, besideTokens));
      const ask = { url: dev.url, model: names[name], prompt, tokens: 8 };
      const { sentMs, tokenMs } = await streamTimes(ask);
      ttft.push(tokenMs[0] - sentMs);
    }
    end.abort();
  };
  await Promise.all([
    prompting(),
    ...Array.from({ length: besideStreams }, (_, lane) => decoding(lane)),
  ]);
  return { gaps, ttft };
}

async function besideFigures(
  dev: Dev,
  { seconds, longest }: Pick<HandoverOptions, "seconds" | "longest">,
): Promise<Figure[]> {
  const all = {
    split: { gaps: [] as number[], ttft: [] as number[] },
    whole: { gaps: [] as number[], ttft: [] as number[] },
  };
  for (let round = 0; round < 2; round++) {
    for (const name of ["split", "whole"] as const) {
      const seed = 100_000 * (2 * round + (name === "split" ? 1 : 2));
      const heard = await beside(dev, { name, seconds, seed, longest });
      all[name].gaps.push(...heard.gaps);
      all[name].ttft.push(...heard.ttft);
    }
  }
  const figure = (what: string, of: (heard: typeof all.split) => number): Figure => {
    const [value, anchorValue] = [of(all.split), of(all.whole)];
    return {
      ...{ figure: `disagg.${what}`, value, unit: "ms", better: "lower" },
      ...{ anchor: "two whole workers", anchorValue, ratio: value / anchorValue },
    };
  };
  return [
    figure("itl_p50", ({ gaps }) => quantile(gaps, 0.5)),
    figure("itl_p99", ({ gaps }) => quantile(gaps, 0.99)),
    figure("ttft_p50", ({ ttft }) => quantile(ttft, 0.5)),
    figure("ttft_max", ({ ttft }) => Math.max(...ttft)),
  ];
}

/** What is measured, and on which model. */
export interface HandoverOptions {
  readonly model: string;
  /** Prompts of each length. */
  readonly runs: number;
  /** Of each of four turns with streams that decode beside long prompts. */
  readonly seconds: number;
  /** Longest prompt, in tokens. */
  readonly longest: number;
  /** One part of it: hand-overs alone, or streams beside long prompts. */
  readonly only?: "alone" | "beside";
}

/** What a model's prompts cost to hand over, and what splitting gives; one run of everything. */
export async function handoverFigures(options: HandoverOptions): Promise<Figure[]> {
  await using dev = await startBoth(options.model);
  const { only } = options;
  return [
    ...only === "beside" ? [] : await penalties(dev, options),
    ...only === "alone" ? [] : await besideFigures(dev, options),
  ];
}
