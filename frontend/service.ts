import { StartError } from "@pixii/runtime";
import type { Health, Service, ServiceContext, ServiceSpec } from "@pixii/runtime";
import { frontendSchema } from "./config.ts";
import type { FrontendConfig } from "./config.ts";
import { createModelDirectory } from "./generation/directory_watch.ts";
import type { WatchedDirectory } from "./generation/directory_watch.ts";
import { createGenerator } from "./generation/generator.ts";
import type { RunningGenerator } from "./generation/generator.ts";
import { ApiServer } from "./http/api_server.ts";
import { frontendMetrics } from "./metrics.ts";
import { askAdmin, ClusterView } from "./page/cluster_view.ts";
import { readPageFiles } from "./page/page_files.ts";
import { PageRoutes } from "./page/page_routes.ts";
import { TokenizerThreads } from "./tokens/tokenizer_threads.ts";

/** The HTTP edge with what it needs: the models, their vocabularies, and the streams it runs. */
class Frontend implements Service {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly #context: ServiceContext;
  readonly #directory: WatchedDirectory;
  readonly #generator: RunningGenerator;
  readonly #tokenizers: TokenizerThreads;
  readonly #api: ApiServer;
  #isDraining = false;

  /** Throws `StartError` where the API's address cannot be had. */
  constructor(
    config: FrontendConfig,
    context: ServiceContext,
    { directory, generator, tokenizers, page }: {
      readonly directory: WatchedDirectory;
      readonly generator: RunningGenerator;
      readonly tokenizers: TokenizerThreads;
      readonly page: PageRoutes | undefined;
    },
  ) {
    this.#context = context;
    this.#directory = directory;
    this.#generator = generator;
    this.#tokenizers = tokenizers;
    const { clock, chance } = context;
    this.#api = ApiServer.open({
      ...{ config, directory, generator, clock, chance },
      log: context.log.child("http"),
      metrics: frontendMetrics(context.metrics),
      isDraining: () => this.#isDraining,
    }, {
      health: () => this.health(),
      metrics: () => context.metrics.text(),
      page,
    });
    this.facts = { url: this.#api.url };
  }

  health(): Health {
    const models = this.#directory.list().map(({ name, cards, isAsleep }) =>
      [name, { workers: isAsleep ? 0 : cards.length }] as const
    );
    return {
      status: this.#isDraining ? "draining" : "ready",
      details: {
        models: Object.fromEntries(models),
        streams: this.#generator.live,
        bus: this.#context.bus.status,
        registry: this.#context.registry.status,
      },
    };
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.#isDraining = true;
    this.#generator.stopWaiting();
    await this.#generator.idle(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First the streams, so that every answer has its end; then the answers are sent.
    await this.#generator[Symbol.asyncDispose]();
    this.#tokenizers[Symbol.dispose]();
    await this.#api[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}

async function openPage({ registry, clock, namespace }: ServiceContext): Promise<PageRoutes> {
  const view = new ClusterView({ registry, clock, namespace, ask: askAdmin });
  return new PageRoutes(await readPageFiles(), view);
}

/** The frontend program. */
export const frontendSpec: ServiceSpec<typeof frontendSchema> = {
  name: "frontend",
  summary: "Serves the OpenAI API over HTTP for every model of the cluster",
  schema: frontendSchema,
  async start(config, context): Promise<Service> {
    const { threads, clock, log } = context;
    const tokenizers = new TokenizerThreads({ threads, clock, log: log.child("tokenizer") });
    const loadVocabulary = (json: Uint8Array) => tokenizers.load(json);
    const directory = await createModelDirectory({ context, loadVocabulary });
    if (!directory.ok) throw new StartError(directory.error.message);
    const generator = createGenerator({
      ...{ context, directory: directory.value },
      wake: { timeoutMs: config["wake-timeout"], most: config["wake-queue"] },
    });
    const page = config.page ? await openPage(context) : undefined;
    try {
      const parts = { directory: directory.value, generator, tokenizers, page };
      return new Frontend(config, context, parts);
    } catch (error) {
      tokenizers[Symbol.dispose]();
      await generator[Symbol.asyncDispose]();
      await directory.value[Symbol.asyncDispose]();
      throw error;
    }
  },
};
