import { StartError } from "@pixii/runtime";
import type { Health, Service, ServiceContext, ServiceSpec } from "@pixii/runtime";
import { frontendSchema } from "./config.ts";
import type { FrontendConfig } from "./config.ts";
import { loadVocabulary } from "./tokens/load_vocabulary.ts";
import { createModelDirectory } from "./generation/directory_watch.ts";
import type { WatchedDirectory } from "./generation/directory_watch.ts";
import { createGenerator } from "./generation/generator.ts";
import type { RunningGenerator } from "./generation/generator.ts";
import { ApiServer } from "./http/api_server.ts";
import { frontendMetrics } from "./metrics.ts";

/** The HTTP edge with what it needs: the models, their vocabularies, and the streams it runs. */
class Frontend implements Service {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly #context: ServiceContext;
  readonly #directory: WatchedDirectory;
  readonly #generator: RunningGenerator;
  readonly #api: ApiServer;
  #isDraining = false;

  constructor(config: FrontendConfig, context: ServiceContext, directory: WatchedDirectory) {
    this.#context = context;
    this.#directory = directory;
    this.#generator = createGenerator({ context, directory });
    const { clock, chance } = context;
    this.#api = ApiServer.open({
      ...{ config, directory, clock, chance },
      generator: this.#generator,
      log: context.log.child("http"),
      metrics: frontendMetrics(context.metrics),
      isDraining: () => this.#isDraining,
    }, {
      health: () => this.health(),
      metrics: () => context.metrics.text(),
    });
    this.facts = { url: this.#api.url };
  }

  health(): Health {
    const models = this.#directory.list().map(({ name, cards }) =>
      [name, { workers: cards.length }] as const
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
    await this.#generator.idle(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First the streams, so that every answer has its end; then the answers are sent.
    await this.#generator[Symbol.asyncDispose]();
    await this.#api[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** The frontend program. */
export const frontendSpec: ServiceSpec<typeof frontendSchema> = {
  name: "frontend",
  summary: "Serves the OpenAI API over HTTP for every model of the cluster",
  schema: frontendSchema,
  async start(config, context): Promise<Service> {
    const directory = await createModelDirectory({ context, loadVocabulary });
    if (!directory.ok) throw new StartError(directory.error.message);
    try {
      return new Frontend(config, context, directory.value);
    } catch (error) {
      await directory.value[Symbol.asyncDispose]();
      throw error;
    }
  },
};
