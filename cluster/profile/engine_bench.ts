import { createMetrics, MemoryHub, MemoryRegistryHub, openLog, parseConfig } from "@pixii/runtime";
import { AdminServer, StartError, startService, systemChance } from "@pixii/runtime";
import type { Clock, ServiceContext, Threads } from "@pixii/runtime";
import { kvbmSchema, kvbmSpec } from "@pixii/kvbm";
import { openEngines, openHostStore, workerSchema } from "@pixii/workers";
import type { Engine, WorkerConfig } from "@pixii/workers";
import { modelHashOf } from "@pixii/wire";
import { EngineProbe } from "./engine_probe.ts";

/** Longest wait for a host tier to be joined, and how often it is looked at. */
const joinMs = 5_000;
const lookMs = 20;

/** What engines are opened with. */
export interface BenchOptions {
  /** Flags of the worker. */
  readonly args: readonly string[];
  readonly clock: Clock;
  readonly threads: Threads;
  /** Folder for sockets. */
  readonly folder: string;
}

/** A fresh engine with a host tier, and what ends both. */
export interface TieredProbe extends AsyncDisposable {
  readonly probe: EngineProbe;
}

/** Opens engines one after another as a worker would, without the cluster around it. */
export class EngineBench {
  readonly #options: BenchOptions;
  readonly #config: WorkerConfig;

  private constructor(options: BenchOptions, config: WorkerConfig) {
    this.#options = options;
    this.#config = config;
  }

  /** Throws `StartError` where the worker's flags are wrong. */
  static of(options: BenchOptions): EngineBench {
    const parsed = parseConfig(workerSchema, { args: options.args, env: {} });
    if ("problems" in parsed) throw new StartError(parsed.problems.join("; "), 2);
    return new EngineBench(options, parsed.config);
  }

  /** A fresh engine: nothing cached, no host tier. Throws `StartError` where it cannot be opened. */
  async openEngine(): Promise<Engine> {
    const { clock } = this.#options;
    const hub = new MemoryHub({ clock, log: openLog(["profile"]) });
    return await this.#engine(this.#context(hub));
  }

  /** A probe of a fresh engine. */
  async open(): Promise<EngineProbe> {
    return new EngineProbe(await this.openEngine(), this.#options.clock);
  }

  /** A fresh engine over a host tier of `bytes`; undefined where this machine or this engine has none. */
  async openTiered(bytes: number): Promise<TieredProbe | undefined> {
    const { clock, folder } = this.#options;
    const log = openLog(["profile"]);
    await using stack = new AsyncDisposableStack();
    const hub = new MemoryHub({ clock, log });
    const socket = `${folder}/kvbm.sock`;
    stack.use(await this.#startKvbm(hub, ["--kv-host", String(bytes), "--kv-socket", socket]));
    const context = this.#context(hub);
    const engine = await this.#engine(context);
    const probe = stack.use(new EngineProbe(engine, clock));
    const choice = { kvbm: socket, model: modelHashOf("profile") };
    const store = await openHostStore(engine, context, choice);
    if (store === undefined) return undefined;
    stack.use(store);
    for (let waitedMs = 0; store.kvbm === undefined; waitedMs += lookMs) {
      if (waitedMs >= joinMs) return undefined;
      await clock.sleep(lookMs);
    }
    const held = stack.move();
    return { probe, [Symbol.asyncDispose]: () => held.disposeAsync() };
  }

  async #engine(context: ServiceContext): Promise<Engine> {
    const engines = await openEngines(this.#config, context);
    if (!engines.ok) throw new StartError(engines.error.message);
    return engines.value[0];
  }

  async #startKvbm(hub: MemoryHub, args: readonly string[]): Promise<AsyncDisposable> {
    const { clock, threads } = this.#options;
    const parsed = parseConfig(kvbmSchema, { args, env: {} });
    if ("problems" in parsed) throw new StartError(parsed.problems.join("; "), 2);
    const log = openLog(["profile"]);
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(AdminServer.open({ host: "127.0.0.1", port: 0 }, log));
    const registry = stack.use(new MemoryRegistryHub({ clock, log }).connect());
    const service = await startService(kvbmSpec, parsed.config, {
      ...{ bus: hub.connect(), registry, clock, chance: systemChance() },
      ...{ threads, admin, log: () => log },
    });
    stack.defer(() => service.stop(AbortSignal.abort()));
    return stack.move();
  }

  #context(hub: MemoryHub): ServiceContext {
    const { clock, threads } = this.#options;
    const log = openLog(["profile"]);
    const chance = systemChance();
    return {
      ...{ bus: hub.connect(), registry: new MemoryRegistryHub({ clock, log }).connect() },
      ...{ clock, chance, threads, log, metrics: createMetrics("worker", {}) },
      ...{ namespace: "profile", instance: chance.instanceId(), admin: "" },
    };
  }
}
