import { fail, mapProfileTimes, ok, workerProfile } from "@pixii/wire";
import type { Result, WorkerProfile } from "@pixii/wire";
import type { Clock, Threads } from "@pixii/runtime";
import { cellsFor, fittedGrid, grids } from "./core/profile_grid.ts";
import { EngineBench } from "./engine_bench.ts";
import {
  measureBesides,
  measureDecode,
  measureOnboard,
  measurePrefill,
  tokensOf,
} from "./measure.ts";
import { ProgressBar } from "./progress_bar.ts";

/** What a profile is measured with. */
export interface ProfileRun {
  readonly engine: "llama" | "sim";
  readonly model: { readonly path: string; readonly name: string };
  readonly grid: keyof typeof grids;
  readonly threads: number;
  readonly maxSeqs: number;
  readonly ctx: number;
  /** More flags of the worker. */
  readonly workerArgs: readonly string[];
  readonly clock: Clock;
  readonly threadsPort: Threads;
  /** Folder for sockets. */
  readonly folder: string;
  readonly machine: string;
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
}

/** Measures a worker's engine. Fails with one sentence; throws `StartError` where it cannot be opened. */
export async function runProfile(run: ProfileRun): Promise<Result<WorkerProfile>> {
  const { engine, model, threads, maxSeqs, ctx, clock } = run;
  const wanted = grids[run.grid];
  const cells = cellsFor(wanted);
  const args = [
    ...["--engine", engine, "--model", model.path, "--threads", `${threads}`, "--ctx", `${ctx}`],
    ...["--max-seqs", `${maxSeqs}`, ...(engine === "llama" ? ["--kv-tokens", `${cells}`] : [])],
    ...run.workerArgs,
  ];
  const bench = EngineBench.of({ args, clock, threads: run.threadsPort, folder: run.folder });
  const card = await cardOf(bench);
  const room = card.totalBlocks * card.blockSize;
  const grid = fittedGrid(wanted, { ...card, cells: room });
  if (grid.newTokens.length * grid.prefillContexts.length * grid.decodeContexts.length === 0) {
    return fail(
      "invalid_request",
      `Cannot measure ${model.name}: a context of ${card.contextLength} tokens has no room for the grid; raise --ctx`,
    );
  }
  const bar = new ProgressBar({ ...run, total: tokensOf(grid) });
  const progress = { done: (tokens: number, point: string) => bar.advance(tokens, point) };
  const measure = { bench, grid, vocabSize: card.vocabSize, progress };
  const decode = await measureDecode(measure);
  const prefill = await measurePrefill(measure);
  const besides = grid.besides.length === 0 ? undefined : await measureBesides(measure);
  const host = engine === "llama" ? await measureOnboard(measure) : undefined;
  bar.end();
  return ok(mapProfileTimes(
    workerProfile.parse({
      version: 1,
      model: model.name,
      modelDigest: card.modelDigest,
      engine,
      engineVersion: card.layoutFingerprint.split("/")[0],
      machine: run.machine,
      measuredAt: new Date(clock.wallMs()).toISOString().slice(0, 19) + "Z",
      about: `${run.grid} grid; ${threads} thread${
        threads === 1 ? "" : "s"
      }; context ${card.contextLength}`,
      blockSize: card.blockSize,
      prefill: { newTokens: [...grid.newTokens], ...prefill },
      decode: { sequences: [...grid.sequences], ...decode },
      ...(besides === undefined ? {} : { besides: { newTokens: [...grid.newTokens], ...besides } }),
      kvBytesPerToken: card.kvBytesPerToken,
      onboardBlockMs: host === undefined ? {} : { host },
    }),
    (ms) => Math.round(ms * 1000) / 1000,
  ));
}

async function cardOf(bench: EngineBench) {
  await using probe = await bench.open();
  return probe.engine.card();
}

/** Three decimals: microseconds are more than is known. */
