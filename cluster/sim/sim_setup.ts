import { fail, ok } from "@pixii/wire";
import type { Result, Role } from "@pixii/wire";
import { parseConfig, seededChance } from "@pixii/runtime";
import { plannerSchema } from "@pixii/planner";
import { routerSchema } from "@pixii/router";
import { workerSchema } from "@pixii/workers";
import { readVocabulary } from "@pixii/workers/sim";
import type { SimVocabulary } from "@pixii/workers/sim";
import { parseAzure } from "../replay/core/azure_trace.ts";
import { parseMooncake } from "../replay/core/mooncake_trace.ts";
import type { Trace } from "../replay/core/replay_request.ts";
import { faultKinds, parseSchedule } from "./core/fault.ts";
import type { Fault, FaultKind } from "./core/fault.ts";
import { planFaults } from "./core/fault_plan.ts";
import { mixSeed } from "./core/mix_seed.ts";
import { syntheticTrace } from "./core/sim_trace.ts";
import type { SimTrace } from "./core/sim_trace.ts";
import type { SimConfig } from "./sim_config.ts";
import type { SimPlan } from "./sim_run.ts";
import { programNames, simBlockSize as blockSize } from "./sim_shape.ts";
import type { SimShape } from "./sim_shape.ts";

/** Longest context where the command line does not say. */
const mostContext = 2048;
/** Workers take so many requests that wait; routers keep the rest. */
const maxWaiting = 64;
const waitingPerRank = 32;

/** The model of all runs: its vocabulary only. */
export const simModelFile = new URL("../../models/tiny.gguf", import.meta.url).pathname;

/** Reads the vocabulary that all simulated workers share. */
export async function simVocabulary(): Promise<SimVocabulary> {
  const vocabulary = await readVocabulary(simModelFile);
  if (!vocabulary.ok) throw new Error(vocabulary.error.message);
  return vocabulary.value;
}

/** What setting up needs besides the options. */
export interface SetupParts {
  readonly vocabulary: SimVocabulary;
  /** A file's text; nothing where there is none. */
  readonly read: (path: string) => Promise<string | undefined>;
}

/** The plan of a run, or a sentence about what is wrong with the options. */
export async function simPlanOf(config: SimConfig, parts: SetupParts): Promise<Result<SimPlan>> {
  const shape = shapeOf(config);
  if (!shape.ok) return shape;
  const trace = await traceOf(config, parts);
  if (!trace.ok) return trace;
  const faults = await faultsOf(config, shape.value, parts);
  if (!faults.ok) return faults;
  return ok({
    ...{ shape: shape.value, trace: trace.value, faults: faults.value },
    vocabulary: parts.vocabulary,
  });
}

function shapeOf(config: SimConfig): Result<SimShape> {
  const { seed, frontends, routers, planners, ranks, blocks, minutes } = config;
  const ctx = config.ctx || Math.min(mostContext, blocks * blockSize);
  const maxSeqs = config["max-seqs"];
  const orderEveryMs = config["orders-every"];
  const roles = rolesOf(config);
  if (roles.length === config.prefill) {
    return fail("invalid_request", "Nobody answers: raise --workers or --decode");
  }
  const worker = [
    ...["--ctx", `${ctx}`, "--max-seqs", `${maxSeqs}`, "--max-waiting", `${maxWaiting}`],
    ...["--ranks", `${ranks}`, "--sim-blocks", `${blocks}`, "--sim-block-size", `${blockSize}`],
    ...argsOf(config.worker),
  ];
  const router = ["--queue-waiting-per-rank", `${waitingPerRank}`, ...argsOf(config.router)];
  const planner = [...(orderEveryMs > 0 ? ["--mode", "act"] : []), ...argsOf(config.planner)];
  const checked = [
    parseConfig(workerSchema, { args: worker, env: {} }),
    parseConfig(routerSchema, { args: router, env: {} }),
    parseConfig(plannerSchema, { args: planner, env: {} }),
  ] as const;
  const problems = checked.flatMap((one) => "problems" in one ? one.problems : []);
  const [workerConfig, routerConfig, plannerConfig] = checked;
  if ("problems" in workerConfig || "problems" in routerConfig || "problems" in plannerConfig) {
    return fail("invalid_request", problems.join("\n"));
  }
  const { mode, reactive: reactiveMs, "flip-timeout": boundMs, gpus } = plannerConfig.config;
  const budgetGpus = gpus ?? Infinity;
  return ok({
    ...{ seed, frontends, routers, planners, roles, ranks, minutes },
    ...{ hostBlocks: config["host-blocks"], speed: workerConfig.config["sim.speed"] },
    ...(mode === "watch"
      ? {}
      : { acting: { orderEveryMs: orderEveryMs || Infinity, boundMs, reactiveMs, budgetGpus } }),
    args: { worker, router, planner },
    deadlineMs: config.deadline,
    mostQueued: routerConfig.config["queue.max-requests"],
    mostAtRank: workerConfig.config["max-seqs"] + workerConfig.config["max-waiting"],
    ...{ cancels: config.cancels, stops: config.stops },
  });
}

/** What each worker starts as. */
function rolesOf({ workers, prefill, decode }: SimConfig): readonly Role[] {
  const many = (count: number, role: Role) => Array.from({ length: count }, () => role);
  return [...many(workers, "both"), ...many(prefill, "prefill"), ...many(decode, "decode")];
}

/** `NAME=VALUE` as flags. */
function argsOf(settings: readonly string[]): readonly string[] {
  return settings.map((one) => {
    const [name, ...value] = one.split("=");
    return ["--" + name.replaceAll(".", "-"), ...value].join("=");
  });
}

async function traceOf(config: SimConfig, { read }: SetupParts): Promise<Result<SimTrace>> {
  const { trace: path, minutes, rate, output, pace, seed } = config;
  if (path === "synthetic") {
    const { float: draw } = seededChance(mixSeed(seed, "trace"));
    return ok(syntheticTrace({ minutes, rate, mostOutput: output, draw }));
  }
  const text = await read(path);
  if (text === undefined) {
    return fail("not_found", `Cannot read ${path}: give a trace file, or --trace synthetic`);
  }
  const name = path.slice(path.lastIndexOf("/") + 1);
  const parsed = path.endsWith(".csv")
    ? parseAzure(name, text, blockSize)
    : parseMooncake(name, text);
  return parsed.ok ? ok(paced(parsed.value, pace)) : parsed;
}

/** A replay's trace: the low words of its hashes name its blocks, one for one. */
function paced({ name, blockSize: blockTokens, requests }: Trace, pace: number): SimTrace {
  return {
    ...{ name, blockTokens },
    requests: requests.map(({ atMs, inputTokens, outputTokens, list }) => ({
      ...{ atMs: atMs / pace, inputTokens, outputTokens, blocks: list.lo },
    })),
  };
}

async function faultsOf(
  config: SimConfig,
  shape: SimShape,
  { read }: SetupParts,
): Promise<Result<readonly Fault[]>> {
  const targets = programNames(shape);
  if (config.schedule !== "") {
    // A schedule has blanks, a file's name mostly not: it is a file where there is one.
    const text = await read(config.schedule) ?? config.schedule;
    return parseSchedule(text, targets);
  }
  const kinds = kindsOf(config.faults);
  if (!kinds.ok) return kinds;
  const { float: draw } = seededChance(mixSeed(config.seed, "faults"));
  return ok(planFaults({
    ...{ kinds: kinds.value, targets, fromMs: 2_000, untilMs: config.minutes * 60_000 },
    ...{ everyMs: config["fault-every"], draw },
  }));
}

function kindsOf(text: string): Result<readonly FaultKind[]> {
  if (text === "all") return ok(faultKinds);
  const kinds: FaultKind[] = [];
  for (const word of text.split(",").map((one) => one.trim()).filter((one) => one !== "")) {
    const kind = faultKinds.find((one) => one === word);
    if (kind === undefined) {
      const known = faultKinds.join(", ");
      return fail("invalid_request", `Cannot use --faults: '${word}' is none of ${known}, all`);
    }
    kinds.push(kind);
  }
  return ok(kinds);
}
