import { ok } from "@pixii/wire";
import type { ModelCard } from "@pixii/wire";
import type { Health } from "@pixii/runtime";
import type { FrontendConfig } from "../config.ts";
import type { Vocabulary } from "../core/vocabulary.ts";
import type { ModelDirectory, ServedModel } from "../generation/model_directory.ts";
import type { WakeLimits } from "../generation/wake_desk.ts";
import { ApiServer } from "../http/api_server.ts";
import { frontendMetrics } from "../metrics.ts";
import type { PageRoutes } from "../page/page_routes.ts";
import { RawHttp } from "./raw_http.ts";
import { scriptedVocabulary } from "./scripted_vocabulary.ts";
import { ScriptedWorld } from "./scripted_world.ts";
import type { ScriptedWorker } from "./scripted_worker.ts";

/** What a scripted API is like; all has a default. */
export interface ScriptedApiOptions {
  readonly config?: Partial<FrontendConfig>;
  readonly card?: Partial<ModelCard>;
  readonly workers?: number;
  readonly vocabulary?: Vocabulary;
  readonly page?: PageRoutes;
  readonly wake?: WakeLimits;
}

const config: FrontendConfig = {
  host: "127.0.0.1",
  port: 0,
  "max-body": 8 * 1024 * 1024,
  "max-choices": 16,
  "request-timeout": 600_000,
  "wake-timeout": 300_000,
  "wake-queue": 1_024,
  "body-timeout": 30_000,
} as FrontendConfig;

/** Virtual time that passes in one look at the sockets. */
const pumpMs = 10;
/** Virtual time within which everything that ends has ended. */
const settleMs = 1_000;

/** One SSE event of an answer. */
export interface SseEvent {
  readonly event: string | undefined;
  readonly data: string;
}

/** A real HTTP server over a scripted world whose virtual time runs on by itself, some ten times as fast as real time. */
export class ScriptedApi implements AsyncDisposable {
  readonly world: ScriptedWorld;
  readonly url: string;
  isDraining = false;
  status: Health["status"] = "ready";
  readonly #api: ApiServer;
  readonly #pump: Promise<void>;
  #isClosing = false;

  private constructor(world: ScriptedWorld, options: ScriptedApiOptions) {
    this.world = world;
    const { clock, chance, log, metrics } = world.context;
    this.#api = ApiServer.open({
      config: { ...config, ...options.config },
      directory: withVocabulary(world.directory, options.vocabulary ?? scriptedVocabulary()),
      generator: world.generator,
      ...{ clock, chance, log: log.child("http"), metrics: frontendMetrics(metrics) },
      isDraining: () => this.isDraining,
    }, {
      health: () => ({ status: this.status, details: {} }),
      metrics: () => metrics.text(),
      page: options.page,
    });
    this.url = this.#api.url;
    this.#pump = this.#run();
  }

  /** Opens it on a free port. */
  static async open(options: ScriptedApiOptions = {}): Promise<ScriptedApi> {
    const world = await ScriptedWorld.open({ workers: 0, wake: options.wake });
    for (let i = 0; i < (options.workers ?? 1); i++) {
      const worker = await world.addWorker(options.card);
      worker.script.promptTokens = undefined;
    }
    await world.clock.advance(0);
    return new ScriptedApi(world, options);
  }

  /** The first worker. */
  get worker(): ScriptedWorker {
    return this.world.workers[0];
  }

  /** Makes every worker say this text, byte by byte, and then stop. */
  say(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (const { script } of this.world.workers) script.speak = (_, index) => bytes[index];
  }

  /** `fetch` on this server. */
  async fetch(path: string, init?: RequestInit): Promise<Response> {
    return await fetch(this.url + path, init);
  }

  /** Posts JSON, or what is already text. */
  async post(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return await this.fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  /** Posts JSON and reads all events of the answer. */
  async events(path: string, body: Record<string, unknown>): Promise<SseEvent[]> {
    const response = await this.post(path, { stream: true, ...body });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${text}`);
    return eventsOf(text);
  }

  /** A raw connection to this server. */
  async connect(): Promise<RawHttp> {
    return await RawHttp.open(this.url);
  }

  /** Waits until something is true; throws once `mostMs` of virtual time are over. */
  async until(isTrue: () => boolean | Promise<boolean>, mostMs = 60_000): Promise<void> {
    const endMs = this.world.clock.nowMs() + mostMs;
    while (!await isTrue()) {
      if (this.world.clock.nowMs() > endMs) throw new Error(`still not true after ${mostMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** Value of a metric, all labels summed. */
  async count(name: string): Promise<number> {
    return await this.world.count(name);
  }

  /**
   * What is wrong once all is quiet: live streams, open bookings, requests in work, logged errors. What only needs a
   * moment more gets it.
   */
  async problems(): Promise<string[]> {
    const { clock } = this.world;
    const endMs = clock.nowMs() + settleMs;
    let problems = await this.#problemsNow();
    while (problems.length > 0 && clock.nowMs() < endMs) {
      const seenMs = clock.nowMs();
      await this.until(() => clock.nowMs() > seenMs);
      problems = await this.#problemsNow();
    }
    return problems;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
    this.#isClosing = true;
    await this.#pump;
    const disposed = this.world[Symbol.asyncDispose]();
    await this.world.clock.advance(10);
    await disposed;
  }

  async #problemsNow(): Promise<string[]> {
    const inflight = await this.count("pixii_frontend_inflight_requests");
    return [
      ...this.world.problems(),
      ...inflight === 0 ? [] : [`${inflight} requests in work`],
    ];
  }

  /** Runs ahead of real time, but lets the sockets keep up: an event loop that is never idle hardly looks at them. */
  async #run(): Promise<void> {
    while (!this.#isClosing) {
      await this.world.clock.advance(pumpMs);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

/** The events of an SSE body. */
export function eventsOf(text: string): SseEvent[] {
  if (text !== "" && !text.endsWith("\n\n")) throw new Error("the last event is cut");
  return text.split("\n\n").slice(0, -1).map((block) => {
    const lines = block.split("\n");
    const of = (name: string) =>
      lines.filter((line) => line.startsWith(`${name}: `)).map((line) =>
        line.slice(name.length + 2)
      );
    return { event: of("event")[0], data: of("data").join("\n") };
  });
}

function withVocabulary(directory: ModelDirectory, vocabulary: Vocabulary): ModelDirectory {
  const loaded = Promise.resolve(ok(vocabulary));
  const dressed = (model: ServedModel): ServedModel => ({ ...model, vocabulary: () => loaded });
  return {
    list: () => directory.list().map(dressed),
    find: (name) => {
      const model = directory.find(name);
      return model === undefined ? undefined : dressed(model);
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}
