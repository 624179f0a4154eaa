import { fail, hashProbe, modelHashOf, ok } from "@pixii/wire";
import type { ModelCard, Result, WorkerProfile } from "@pixii/wire";
import type { Service, ServiceContext, ServiceSpec } from "@pixii/runtime";
import { workerSchema } from "./config.ts";
import type { WorkerConfig } from "./config.ts";
import type { Engine, EngineCard } from "./engine.ts";
import { openLlamaEngine } from "./llama/open_engine.ts";
import type { HostBlocks } from "./sim/core/host_pool.ts";
import type { SimEngine } from "./sim/engine.ts";
import { openSimEngines } from "./sim/open.ts";
import type { SimVocabulary } from "./sim/vocabulary.ts";
import { profileForCard } from "./profile_file.ts";
import { openHostStore } from "./kv_store/open_store.ts";
import { hostTierMetrics } from "./metrics.ts";
import { WorkerShell } from "./worker_shell.ts";
import type { ShellStore } from "./worker_shell.ts";

/** Served name of a model file or folder: its stem. */
export function stemOf(path: string): string {
  const whole = path.endsWith("/") ? path.slice(0, -1) : path;
  const file = whole.slice(whole.lastIndexOf("/") + 1);
  return file.endsWith(".gguf") ? file.slice(0, -".gguf".length) : file;
}

/** Most sequences of the llama engine: its sequence ids are bytes, and some keep finished prompts. */
const mostLlamaSeqs = 192;

/** The engines of the config, one per rank. */
export async function openEngines(
  config: WorkerConfig,
  context: ServiceContext,
): Promise<Result<readonly Engine[]>> {
  if (config.model === "") {
    return fail("invalid_request", "Cannot start: --model PATH is required");
  }
  return config.engine === "sim"
    ? await openSims(config, context)
    : await openLlama(config, context);
}

/** What simulated engines do not make themselves. */
export interface SimGiven {
  /** Read before. */
  readonly vocabulary?: SimVocabulary;
  /** Who keeps the blocks of a rank's host tier; the engine's own model without it. */
  readonly host?: (dpRank: number) => HostBlocks;
  /** The store whose kvbm the worker's card names; none without it. */
  readonly store?: (context: ServiceContext, card: EngineCard) => Promise<ShellStore>;
}

async function openSims(
  config: WorkerConfig,
  context: ServiceContext,
  given: SimGiven = {},
): Promise<Result<readonly SimEngine[]>> {
  return await openSimEngines({
    path: config.model,
    ...given,
    ranks: config.ranks,
    ctx: config.ctx,
    maxSeqs: config["max-seqs"],
    maxWaiting: config["max-waiting"],
    blockSize: config["sim.block-size"],
    blocks: config["sim.blocks"],
    hostBlocks: config["sim.host-blocks"],
    batchTokens: config["sim.batch-tokens"],
    chunkTokens: config["sim.chunk-tokens"],
    maxPrefills: config["sim.max-prefills"],
    speed: config["sim.speed"],
    profile: config["sim.profile"],
    clock: context.clock,
  });
}

async function openLlama(
  config: WorkerConfig,
  context: ServiceContext,
): Promise<Result<readonly Engine[]>> {
  if (config.ranks > 1) {
    return fail("invalid_request", "Cannot start: --ranks is for --engine sim; start more workers");
  }
  if (config["max-seqs"] > mostLlamaSeqs) {
    return fail(
      "invalid_request",
      `Cannot start: --max-seqs of the llama engine is at most ${mostLlamaSeqs}, got ${
        config["max-seqs"]
      }`,
    );
  }
  const opened = await openLlamaEngine({
    path: config.model,
    ctx: config.ctx,
    kvTokens: config["kv-tokens"],
    maxSeqs: config["max-seqs"],
    maxWaiting: config["max-waiting"],
    threads: config.threads,
    kvType: config["kv-type"],
    kept: config["kv-kept"],
    deterministic: config.deterministic,
    cacheFolder: config.cache,
    threadsPort: context.threads,
    clock: context.clock,
    log: context.log.child("llama"),
  });
  return opened.ok ? ok([opened.value]) : opened;
}

/** Puts engines, one per rank, behind the bus under a served name. They have one card, whose `dpSize` is their number. */
export async function startWorkerShell(
  engines: readonly Engine[],
  context: ServiceContext,
  options: {
    readonly name: string;
    readonly hangMs: number;
    readonly store?: ShellStore;
    readonly profile?: WorkerProfile;
    readonly labels?: readonly string[];
    readonly taints?: readonly string[];
    /** Which phase of requests it takes; both if left out. */
    readonly role?: ModelCard["role"];
    /** Longest change of role; a minute if left out. */
    readonly roleMs?: number;
  },
): Promise<WorkerShell> {
  const known = engines[0].card();
  const card: ModelCard = {
    ...known,
    // Proves to routers that its block hashes are theirs.
    hashProbe: known.hashProbe ?? hashProbe(known),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    ...termsOf("labels", options.labels),
    ...termsOf("taints", options.taints),
    name: options.name,
    hash: modelHashOf(options.name),
    instance: context.instance,
    role: options.role ?? "both",
  };
  const { hangMs, store, roleMs = 60_000 } = options;
  const shell = new WorkerShell(engines, context, { card, hangMs, roleMs, store });
  await shell.open();
  return shell;
}

/** A field of the card, where there is something in it. */
function termsOf(name: "labels" | "taints", terms: readonly string[] = []): Partial<ModelCard> {
  return terms.length === 0 ? {} : { [name]: [...terms] };
}

/** Terms of an option. */
function splitTerms(text: string): readonly string[] {
  return text === "" ? [] : text.split(",");
}

/** The worker program. */
export const workerSpec: ServiceSpec<typeof workerSchema> = workerSpecOf(openEngines);

/**
 * The worker program over simulated engines with a vocabulary that was read before: nothing in it leaves the event loop.
 * `onEngines` is told of the engines of each start, one per rank.
 */
export function simWorkerSpec(
  given: SimGiven,
  onEngines: (engines: readonly SimEngine[]) => void,
): ServiceSpec<typeof workerSchema> {
  return workerSpecOf(async (config, context) => {
    const engines = await openSims(config, context, given);
    if (engines.ok) onEngines(engines.value);
    return engines;
  }, given.store);
}

function workerSpecOf(
  open: typeof openEngines,
  store?: SimGiven["store"],
): ServiceSpec<typeof workerSchema> {
  return {
    name: "worker",
    summary: "Runs one model behind the bus: continuous batching, KV events, step frames",
    schema: workerSchema,
    start: (config, context) => startWorker(config, context, { open, store }),
  };
}

async function startWorker(
  config: WorkerConfig,
  context: ServiceContext,
  how: { readonly open: typeof openEngines; readonly store: SimGiven["store"] },
): Promise<Service> {
  const engines = await how.open(config, context);
  if (!engines.ok) throw new StartError(engines);
  const name = config["served-name"] === "" ? stemOf(config.model) : config["served-name"];
  context.log.info("model loaded", { model: name, file: stemOf(config.model) });
  const [engine] = engines.value;
  const profile = await profileForCard(config.profile, engine.card());
  if (!profile.ok) throw new StartError(profile);
  const choice = { kvbm: config.kvbm, model: modelHashOf(name) };
  const store = await how.store?.(context, engine.card()) ??
    await openHostStore(engine, context, choice);
  if (engine.hostTier !== undefined) hostTierMetrics(context.metrics, engine.hostTier.totals);
  const hangMs = config["hang-timeout"];
  return await startWorkerShell(engines.value, context, {
    ...{ name, hangMs, store },
    profile: profile.value,
    labels: splitTerms(config.labels),
    taints: splitTerms(config.taints),
    role: config.role,
    roleMs: config["role.timeout"],
  });
}

/** A start that failed for a reason its message names. */
class StartError extends Error {
  constructor(failed: Extract<Result<unknown>, { ok: false }>) {
    super(failed.error.message);
    this.name = failed.error.code;
  }
}
