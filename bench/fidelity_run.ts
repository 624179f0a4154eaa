import { complete } from "./chat_client.ts";
import { tokensOfRequest } from "./fidelity_load.ts";
import type { FidelityRequest, FidelityShape } from "./fidelity_load.ts";
import { median } from "./figure.ts";
import { denoThreads, VirtualClock } from "@pixii/runtime";
import type { RequestId } from "@pixii/wire";
import { EngineBench } from "@pixii/cluster";
import type { Engine } from "@pixii/workers";

/** What a request's client felt. */
export interface Felt {
  readonly ttftMs: number;
  /** Mean milliseconds between two tokens; undefined for one token. */
  readonly itlMs: number | undefined;
}

/** A load as it is run. */
export interface FidelityRun {
  readonly shape: FidelityShape;
  readonly load: readonly FidelityRequest[];
  /** Another text of the same lengths for every salt: nothing is cached from run to run. */
  readonly salt: number;
}

/** Sends the load to a cluster at its times. */
export async function runOver(url: string, { shape, load, salt }: FidelityRun): Promise<Felt[]> {
  const startedMs = performance.now();
  return await Promise.all(load.map(async (request, index) => {
    const prompt = [...tokensOfRequest(shape, { ...request, index, salt })];
    const waitMs = request.atMs - (performance.now() - startedMs);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
    const { ttftMs, totalMs, outputTokens } = await complete(url, {
      ...{ model: "bench", prompt, max_tokens: request.outputTokens },
      ...{ temperature: 0, ignore_eos: true },
    });
    if (outputTokens !== request.outputTokens) {
      throw new Error(`expected ${request.outputTokens} tokens, got ${outputTokens}`);
    }
    return feltOf(ttftMs, totalMs, outputTokens);
  }));
}

function feltOf(ttftMs: number, totalMs: number, tokens: number): Felt {
  return { ttftMs, itlMs: tokens < 2 ? undefined : (totalMs - ttftMs) / (tokens - 1) };
}

/** Runs the load through a simulated engine in virtual time. `args`: flags of the worker. */
export async function runVirtually(
  args: readonly string[],
  { shape, load, salt }: FidelityRun,
): Promise<Felt[]> {
  const clock = new VirtualClock();
  const bench = EngineBench.of({ args, clock, threads: denoThreads(), folder: "" });
  await using engine = await bench.openEngine();
  const times = load.map(() => ({ firstMs: 0, endMs: 0 }));
  const pump = listen(engine, (stream, isEnd) => {
    times[stream].firstMs ||= clock.nowMs();
    if (isEnd) times[stream].endMs = clock.nowMs();
  });
  for (const [index, request] of load.entries()) {
    await clock.advance(request.atMs - clock.nowMs());
    submit(engine, {
      stream: index,
      tokens: tokensOfRequest(shape, { ...request, index, salt }),
      maxTokens: request.outputTokens,
    });
  }
  while (engine.load().running + engine.load().waiting > 0) await clock.advance(1000);
  await engine[Symbol.asyncDispose]();
  await pump;
  return load.map(({ atMs, outputTokens }, index) => {
    const { firstMs, endMs } = times[index];
    return feltOf(firstMs - atMs, endMs - atMs, outputTokens);
  });
}

async function listen(engine: Engine, hear: (stream: number, isEnd: boolean) => void) {
  for await (const { outputs } of engine.steps()) {
    for (const { stream, extra } of outputs) hear(stream, extra?.end !== undefined);
  }
}

function submit(
  engine: Engine,
  { stream, tokens, maxTokens }: { stream: number; tokens: Uint32Array; maxTokens: number },
): void {
  const taken = engine.submit({
    ...{ stream, tokens, emitted: 0, choice: 0, tenantSalt: "", adapter: "", priority: 0 },
    key: { requestId: stream.toString(16).padStart(32, "0") as RequestId, attempt: 0, leg: 0 },
    sampling: {
      ...{ seedHi: 0, seedLo: 0, temperature: 0, topK: 0, topP: 1, minP: 0, presencePenalty: 0 },
      ...{ frequencyPenalty: 0, repetitionPenalty: 1, logitBias: [], logprobs: -1 },
    },
    stop: { maxTokens, minTokens: 0, stopTokenIds: [], ignoreEos: true },
  });
  if (!taken.ok) throw new Error(taken.error.message);
}

/** Medians of what was felt. */
export interface FeltMedians {
  readonly ttftMs: number;
  readonly itlMs: number;
}

/** Median TTFT and median of the mean ITL. */
export function mediansOf(felt: readonly Felt[]): FeltMedians {
  return {
    ttftMs: median(felt.map((one) => one.ttftMs)),
    itlMs: median(felt.flatMap((one) => one.itlMs ?? [])),
  };
}

/** |predicted / real - 1| of both medians. */
export function errorsOf(predicted: FeltMedians, real: FeltMedians): FeltMedians {
  return {
    ttftMs: Math.abs(predicted.ttftMs / real.ttftMs - 1),
    itlMs: Math.abs(predicted.itlMs / real.itlMs - 1),
  };
}
