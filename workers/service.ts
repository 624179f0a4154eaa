import { fail, modelHashOf } from "@pixii/wire";
import type { ModelCard, Result } from "@pixii/wire";
import type { Service, ServiceContext, ServiceSpec } from "@pixii/runtime";
import { workerSchema } from "./config.ts";
import type { WorkerConfig } from "./config.ts";
import type { Engine } from "./engine.ts";
import { openLlamaEngine } from "./llama/engine.ts";
import { WorkerShell } from "./worker_shell.ts";

/** Served name of a model file: its stem. */
export function stemOf(path: string): string {
  const file = path.slice(path.lastIndexOf("/") + 1);
  return file.endsWith(".gguf") ? file.slice(0, -".gguf".length) : file;
}

async function openEngine(config: WorkerConfig, context: ServiceContext): Promise<Result<Engine>> {
  if (config.model === "") {
    return fail("invalid_request", "Cannot start: --model PATH is required");
  }
  return await openLlamaEngine({
    path: config.model,
    ctx: config.ctx,
    kvTokens: config["kv-tokens"],
    maxSeqs: config["max-seqs"],
    maxWaiting: config["max-waiting"],
    threads: config.threads,
    deterministic: config.deterministic,
    cacheFolder: config.cache,
    threadsPort: context.threads,
    clock: context.clock,
    log: context.log.child("llama"),
  });
}

/** Puts an engine behind the bus under a served name. */
export async function startWorkerShell(
  engine: Engine,
  context: ServiceContext,
  options: { readonly name: string; readonly hangMs: number },
): Promise<WorkerShell> {
  const card: ModelCard = {
    ...engine.card(),
    name: options.name,
    hash: modelHashOf(options.name),
    instance: context.instance,
    role: "both",
  };
  const shell = new WorkerShell(engine, context, { card, hangMs: options.hangMs });
  await shell.open();
  return shell;
}

/** The worker program. */
export const workerSpec: ServiceSpec<typeof workerSchema> = {
  name: "worker",
  summary: "Runs one model behind the bus: continuous batching, KV events, step frames",
  schema: workerSchema,
  async start(config, context): Promise<Service> {
    const engine = await openEngine(config, context);
    if (!engine.ok) throw new StartError(engine);
    const name = config["served-name"] === "" ? stemOf(config.model) : config["served-name"];
    context.log.info("model loaded", { model: name, file: stemOf(config.model) });
    return await startWorkerShell(engine.value, context, { name, hangMs: config["hang-timeout"] });
  },
};

/** A start that failed for a reason its message names. */
class StartError extends Error {
  constructor(failed: Extract<Result<Engine>, { ok: false }>) {
    super(failed.error.message);
    this.name = failed.error.code;
  }
}
