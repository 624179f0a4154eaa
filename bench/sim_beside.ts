import { complete } from "./chat_client.ts";
import { quantile } from "./figure.ts";
import { promptOf } from "@pixii/cluster/sim";
import type { RequestStory, SimPlan } from "@pixii/cluster/sim";

/** What clients felt, at the middle and at the tail; milliseconds. */
export interface FeltTimes {
  readonly requests: number;
  readonly ttft: FeltQuantiles;
  readonly itl: FeltQuantiles;
}

/** Two quantiles of one time. */
export interface FeltQuantiles {
  readonly p50: number;
  readonly p95: number;
}

/** Times of one request. */
interface Times {
  readonly ttftMs: number | undefined;
  readonly itlMs: number | undefined;
}

/** Sends a plan's trace to a real cluster at its times: the requests that `runSim` sends, token by token. */
export async function runReally(url: string, model: string, plan: SimPlan): Promise<FeltTimes> {
  const { trace: { blockTokens, requests }, vocabulary: { vocabSize }, shape: { minutes } } = plan;
  const contextLength = contextOf(plan);
  const startedMs = performance.now();
  const asked = requests.filter(({ atMs }) => atMs < minutes * 60_000);
  const felt = await Promise.all(asked.map(async (request, index): Promise<Times> => {
    const waitMs = request.atMs - (performance.now() - startedMs);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
    const options = { blockTokens, vocabSize, salt: index + 1 };
    const prompt = [...promptOf(request, options).subarray(0, contextLength - 1)];
    const maxTokens = Math.min(request.outputTokens, contextLength - prompt.length);
    const { ttftMs, totalMs, outputTokens } = await complete(url, {
      ...{ model, prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true },
    });
    if (outputTokens !== maxTokens) {
      throw new Error(`expected ${maxTokens} tokens, got ${outputTokens}`);
    }
    return {
      ttftMs,
      itlMs: outputTokens < 2 ? undefined : (totalMs - ttftMs) / (outputTokens - 1),
    };
  }));
  return feltTimes(felt);
}

/** What simulated clients felt. Throws where a request did not come to its end. */
export function feltOf(stories: readonly RequestStory[]): FeltTimes {
  const odd = stories.find(({ end }) => end !== "length");
  if (odd !== undefined) throw new Error(`the simulated request ${odd.id} ended with ${odd.end}`);
  return feltTimes(stories);
}

/** |foretold / real - 1| of both times. */
export function errorsOf(foretold: FeltTimes, real: FeltTimes, at: keyof FeltQuantiles): number[] {
  return [foretold.ttft[at] / real.ttft[at], foretold.itl[at] / real.itl[at]]
    .map((ratio) => Math.abs(ratio - 1));
}

/** Both real runs as one: the middle between their quantiles. */
export function between(a: FeltTimes, b: FeltTimes): FeltTimes {
  const middle = (x: FeltQuantiles, y: FeltQuantiles) => ({
    p50: (x.p50 + y.p50) / 2,
    p95: (x.p95 + y.p95) / 2,
  });
  return { requests: a.requests, ttft: middle(a.ttft, b.ttft), itl: middle(a.itl, b.itl) };
}

/** Longest context of a plan's workers. */
function contextOf({ shape: { args: { worker } } }: SimPlan): number {
  return Number(worker[worker.indexOf("--ctx") + 1]);
}

function feltTimes(felt: readonly Times[]): FeltTimes {
  const of = (values: readonly number[]) => ({
    p50: quantile(values, 0.5),
    p95: quantile(values, 0.95),
  });
  return {
    requests: felt.length,
    ttft: of(felt.flatMap(({ ttftMs }) => ttftMs ?? [])),
    itl: of(felt.flatMap(({ itlMs }) => itlMs ?? [])),
  };
}
