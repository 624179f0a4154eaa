import {
  decodeLedgerBatch,
  encodeRecord,
  fail,
  greedySampling,
  keys,
  modelHashOf,
  streamKeyText,
  subjects as subjectsOf,
} from "@pixii/wire";
import type { InstanceId, LedgerEntry, ModelCard, TokenLogprob } from "@pixii/wire";
import {
  createMetrics,
  MemoryHub,
  MemoryRegistryHub,
  recordingLog,
  seededChance,
  VirtualClock,
} from "@pixii/runtime";
import type { MemoryBus, ServiceContext } from "@pixii/runtime";
import { createModelDirectory } from "../generation/directory_watch.ts";
import type { WatchedDirectory } from "../generation/directory_watch.ts";
import { createGenerator } from "../generation/generator.ts";
import type { RunningGenerator } from "../generation/generator.ts";
import type {
  StreamHandle,
  StreamOutcome,
  StreamRequest,
  StreamSink,
} from "../generation/stream.ts";
import type { WakeLimits } from "../generation/wake_desk.ts";
import { ScriptedRouter } from "./scripted_router.ts";
import {
  scriptedCard,
  scriptedPromptTokens,
  scriptedToken,
  ScriptedWorker,
} from "./scripted_worker.ts";

/** The model every scripted worker serves. */
export const scriptedModel = "test/model";
const namespace = "test";
const stepMs = 10;

/** A sink that keeps everything, and finds what breaks the contract of `StreamSink`. */
export class RecordingSink implements StreamSink {
  readonly ids: number[] = [];
  readonly workers: InstanceId[] = [];
  readonly prefillWorkers: InstanceId[] = [];
  readonly outcomes: StreamOutcome[] = [];
  readonly logprobs: (readonly TokenLogprob[] | undefined)[] = [];
  handle: StreamHandle | undefined;
  /** Called after each batch of tokens. */
  onTokens: (() => void) | undefined;

  /** The outcome; throws before the end. */
  get outcome(): StreamOutcome {
    if (this.outcomes.length !== 1) throw new Error(`${this.outcomes.length} ends, expected one`);
    return this.outcomes[0];
  }

  /** What went wrong, in words; empty where all is well so far. */
  problems(): string[] {
    const wrong = this.ids.findIndex((id, index) => id !== scriptedToken(index));
    return [
      ...wrong >= 0 ? [`token ${wrong} is ${this.ids[wrong]}`] : [],
      ...this.outcomes.length > 1 ? ["more than one end"] : [],
    ];
  }

  accepted(
    worker: { readonly instance: InstanceId },
    prefill: { readonly instance: InstanceId } | undefined,
  ): void {
    this.#mustBeOpen("accepted");
    this.workers.push(worker.instance);
    if (prefill !== undefined) this.prefillWorkers.push(prefill.instance);
  }

  tokens(ids: readonly number[], logprobs: readonly TokenLogprob[] | undefined): void {
    this.#mustBeOpen("tokens");
    this.ids.push(...ids);
    this.logprobs.push(logprobs);
    this.onTokens?.();
  }

  end(outcome: StreamOutcome): void {
    this.outcomes.push(outcome);
  }

  #mustBeOpen(call: string): void {
    if (this.outcomes.length > 0) throw new Error(`${call} after the end`);
  }
}

/** A frontend's generation half among scripted workers and a scripted router, under a virtual clock. */
export class ScriptedWorld implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly chance;
  readonly log = recordingLog("frontend");
  readonly hub: MemoryHub;
  readonly registries: MemoryRegistryHub;
  readonly bus: MemoryBus;
  readonly router: ScriptedRouter;
  readonly workers: ScriptedWorker[] = [];
  readonly sinks: RecordingSink[] = [];
  readonly ledger: LedgerEntry[] = [];
  readonly context: ServiceContext;
  directory!: WatchedDirectory;
  generator!: RunningGenerator;

  private constructor(seed: number) {
    this.chance = seededChance(seed);
    const { clock, log, chance } = this;
    this.hub = new MemoryHub({ clock, log });
    this.registries = new MemoryRegistryHub({ clock, log });
    this.bus = this.hub.connect();
    this.context = {
      ...{ clock, log, chance, namespace, bus: this.bus, registry: this.registries.connect() },
      metrics: createMetrics("frontend", {}),
      threads: {
        start: () => {
          throw new Error("no threads here");
        },
      },
      instance: chance.instanceId(),
      admin: "http://127.0.0.1:1",
    };
    this.router = new ScriptedRouter({
      ...{ bus: this.hub.connect(), namespace, model: scriptedModel, id: chance.instanceId() },
    });
    this.hub.connect().subscribe(subjectsOf(namespace).ledger, ({ payload }) => {
      const batch = decodeLedgerBatch(payload);
      if (!batch.ok) throw new Error(batch.error.message);
      this.ledger.push(...batch.value.entries);
    });
  }

  /** A world with some workers, ready for streams. */
  static async open(
    options: { workers?: number; seed?: number; wake?: WakeLimits } = {},
  ): Promise<ScriptedWorld> {
    const world = new ScriptedWorld(options.seed ?? 1);
    const directory = await createModelDirectory({
      context: world.context,
      loadVocabulary: () => fail("internal", "no vocabulary here"),
    });
    if (!directory.ok) throw new Error(directory.error.message);
    world.directory = directory.value;
    world.generator = createGenerator({
      ...{ context: world.context, directory: directory.value, wake: options.wake },
    });
    for (let i = 0; i < (options.workers ?? 2); i++) await world.addWorker();
    await world.clock.advance(0);
    return world;
  }

  /** Starts one more worker that the router knows. */
  async addWorker(card: Partial<ModelCard> = {}): Promise<ScriptedWorker> {
    const worker = new ScriptedWorker({
      clock: this.clock,
      bus: this.hub.connect(),
      registry: this.registries.connect(),
      namespace,
      card: { name: scriptedModel, instance: this.chance.instanceId(), ...card },
      stepMs,
    });
    this.workers.push(worker);
    this.router.workers.push(worker.id);
    await worker.announce();
    return worker;
  }

  /** Writes that the model is to have this many workers: it is known from now on, and wakes when it is asked for. */
  async scale(workers: number, card: Partial<ModelCard> = {}): Promise<void> {
    const instance = "00000000000000ee" as InstanceId;
    const record = encodeRecord("scale", {
      ...{ id: "s1", model: scriptedModel, workers, startRole: "both", stop: [], reason: "a test" },
      ...{ by: "operator", card: scriptedCard({ name: scriptedModel, instance, ...card }) },
    });
    await this.registries.connect().put(keys(namespace).scale(modelHashOf(scriptedModel)), record);
  }

  /** Starts a stream of `maxTokens` tokens over a prompt of 40. */
  start(
    maxTokens: number,
    more: Partial<StreamRequest> & { readonly deadlineInMs?: number } = {},
  ): RecordingSink {
    const model = this.directory.find(scriptedModel);
    if (model === undefined) throw new Error("the model is not served");
    const sink = new RecordingSink();
    this.sinks.push(sink);
    sink.handle = this.generator.start({
      requestId: this.chance.requestId(),
      model,
      tokens: Uint32Array.from({ length: scriptedPromptTokens }, (_, i) => i),
      choice: 0,
      sampling: greedy,
      stop: { maxTokens, minTokens: 0, stopTokenIds: [], ignoreEos: true },
      tenantSalt: "",
      hints: {},
      deadlineMs: this.clock.nowMs() + (more.deadlineInMs ?? 60_000),
      ...more,
    }, sink);
    return sink;
  }

  /** The worker that a stream is at. */
  workerOf(sink: RecordingSink): ScriptedWorker {
    const worker = this.workers.find((one) => one.id === sink.workers.at(-1));
    if (worker === undefined) throw new Error("the stream has no worker");
    return worker;
  }

  /** Moves time on until `isTrue`; throws after `mostMs`. */
  async until(isTrue: () => boolean, mostMs = 20_000): Promise<void> {
    for (let ms = 0; !isTrue(); ms += 5) {
      if (ms >= mostMs) throw new Error(`still not true after ${mostMs} ms`);
      await this.clock.advance(5);
    }
  }

  /** Value of a counter, all labels summed. */
  async count(name: string): Promise<number> {
    const lines = (await this.context.metrics.text()).split("\n");
    const values = lines.filter((line) =>
      line.startsWith(`${name}{`) || line.startsWith(`${name} `)
    )
      .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
    return values.reduce((sum, value) => sum + value, 0);
  }

  /** What is wrong now that every stream is over: broken output, several ends, open bookings, logged errors. */
  problems(): string[] {
    const errors = this.log.lines.filter((line) => line.level === "error");
    return [
      ...this.sinks.flatMap((sink) => sink.problems()),
      ...this.ledgerProblems(),
      ...this.generator.live > 0 ? [`${this.generator.live} streams live`] : [],
      ...errors.map((line) => `${line.message} ${JSON.stringify(line.fields)}`),
    ];
  }

  /** What is wrong with the ledger: each book needs exactly one complete, no key has two of anything. */
  ledgerProblems(): string[] {
    const seen = new Map<string, number>();
    for (const entry of this.ledger) {
      const id = `${entry.op} ${streamKeyText(entry)}`;
      seen.set(id, (seen.get(id) ?? 0) + 1);
    }
    const twice = [...seen].filter(([, times]) => times > 1).map(([id]) => `twice: ${id}`);
    const open = this.ledger.filter((entry) =>
      entry.op === "book" && !seen.has(`complete ${streamKeyText(entry)}`)
    );
    return [...twice, ...open.map((entry) => `never completed: ${streamKeyText(entry)}`)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.generator[Symbol.asyncDispose]();
    await this.directory[Symbol.asyncDispose]();
    for (const worker of this.workers) worker.kill();
  }
}

const greedy = {
  ...greedySampling,
  seedHi: 0,
  seedLo: 7,
};
