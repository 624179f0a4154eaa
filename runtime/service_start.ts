import { encodeRecord, keys } from "@pixii/wire";
import type { InstanceId, InstanceRecord, ServiceName } from "@pixii/wire";
import type { AdminPart, AdminServer } from "./admin.ts";
import type { Bus } from "./bus.ts";
import type { Chance } from "./chance.ts";
import type { Clock } from "./clock.ts";
import type { ConfigOf, ConfigSchema } from "./config.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { createMetrics, watchEventLoop, watchProcess } from "./metrics_prometheus.ts";
import type { Registration, Registry } from "./registry.ts";
import type { Health, Service, ServiceSpec } from "./service.ts";
import type { commonOptions } from "./service_options.ts";
import { exitCodes, StartError } from "./start_error.ts";
import type { Threads } from "./threads.ts";
import packageFile from "./deno.json" with { type: "json" };

/** A schema that spreads `commonOptions`. */
export type ServiceSchema = ConfigSchema & typeof commonOptions;

/** The version that every instance record shows. */
export const version: string = packageFile.version;

/** How often a change of `health().status` is looked for and told to the registry: until ready, and then. */
const statusEveryMs = 100;
const readyStatusEveryMs = 500;
/** Longest wait for a service that does not end its drain although its signal aborted. */
const drainGraceMs = 1_000;

/** What a program lends to the services that run in it. The services do not dispose any of it. */
export interface ServiceHost {
  readonly bus: Bus;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly threads: Threads;
  readonly admin: AdminHost;
  /** The logger of one service: `openLog([name])`. */
  log(service: string): Log;
  /** Who the program is to others; the real process by default. */
  readonly process?: { readonly pid: number; readonly host: string };
}

/** What `startService` needs of an admin server. */
export type AdminHost = Pick<AdminServer, "url" | "mount">;

/** A service that runs. */
export interface RunningService {
  readonly name: ServiceName;
  readonly instance: InstanceId;
  /** Base URL of its admin routes; ends in `/SERVICE` where the host serves several. */
  readonly admin: string;
  readonly service: Service;
  readonly metrics: Metrics;
  health(): Health;
  /**
   * Tells the registry, drains (at most `drain.timeout`, or until `signal` aborts), leaves the registry, disposes.
   * Later calls wait for the first one.
   */
  stop(signal?: AbortSignal): Promise<void>;
}

/**
 * Starts one service on a host: metrics, admin part, registry entry (`starting`, then what `health()` says), then
 * `spec.start`. Throws what that throws, and `StartError` where the registry refuses; what was opened until then is
 * closed. `prefixed`: the host serves several services, each below `/SERVICE`.
 */
export async function startService<Schema extends ServiceSchema>(
  spec: ServiceSpec<Schema>,
  config: ConfigOf<Schema>,
  host: ServiceHost,
  options: { readonly prefixed?: boolean } = {},
): Promise<RunningService> {
  const common = config as unknown as ConfigOf<typeof commonOptions>;
  const instance = (common.instance || host.chance.instanceId()) as InstanceId;
  const admin = options.prefixed ? `${host.admin.url}/${spec.name}` : host.admin.url;
  const log = host.log(spec.name);
  const { bus, registry, clock, chance, threads } = host;
  const { namespace } = common;
  const metrics = createMetrics(spec.name, {
    pixii_namespace: namespace,
    pixii_component: spec.name,
    pixii_instance: instance,
  });
  const life = new ServiceLife(spec.name, {
    ...{ instance, admin, metrics, clock, log },
    drainMs: common["drain.timeout"],
  });
  try {
    await life.announce(host, namespace);
    const service = await spec.start(config, {
      ...{ bus, registry, clock, chance, threads, log, metrics, namespace, instance, admin },
    });
    await life.run(service);
    log.info("started", { instance, admin, namespace, ...service.facts });
    return life;
  } catch (error) {
    await life.stop();
    throw error;
  }
}

/** What a service's life needs to know. */
interface LifeParts {
  readonly instance: InstanceId;
  readonly admin: string;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly drainMs: number;
}

/** The machine's name needs a permission that a narrow program may not have: it is for people only. */
function thisProcess(): { readonly pid: number; readonly host: string } {
  try {
    return { pid: Deno.pid, host: Deno.hostname() };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return { pid: Deno.pid, host: "localhost" };
  }
}

class ServiceLife implements RunningService, AdminPart {
  readonly name: ServiceName;
  readonly #parts: LifeParts;
  /** Disposed in reverse. */
  readonly #held: Disposable[] = [];
  #record: InstanceRecord | undefined;
  #registration: Registration | undefined;
  #service: Service | undefined;
  #isDraining = false;
  #stopped: Promise<void> | undefined;
  #looking: Disposable | undefined;

  constructor(name: ServiceName, parts: LifeParts) {
    this.name = name;
    this.#parts = parts;
  }

  get instance(): InstanceId {
    return this.#parts.instance;
  }

  get admin(): string {
    return this.#parts.admin;
  }

  get metrics(): Metrics {
    return this.#parts.metrics;
  }

  get service(): Service {
    if (this.#service === undefined) throw new Error(`Cannot use ${this.name}: it is not running`);
    return this.#service;
  }

  routes(): NonNullable<Service["adminRoutes"]> {
    return this.#service?.adminRoutes ?? {};
  }

  actions(): NonNullable<Service["adminActions"]> {
    return this.#service?.adminActions ?? {};
  }

  health(): Health {
    const health = this.#service?.health() ?? { status: "starting" as const, details: {} };
    return this.#isDraining ? { ...health, status: "draining" } : health;
  }

  /** Makes the service visible before it starts: a launcher watches it from here on. */
  async announce(host: ServiceHost, namespace: string): Promise<void> {
    const { instance, admin, metrics, clock } = this.#parts;
    watchProcess(metrics, clock);
    this.#held.push(watchEventLoop(metrics, clock), host.admin.mount(this));
    const { pid, host: machine } = host.process ?? thisProcess();
    const record: InstanceRecord = {
      ...{ service: this.name, instance, pid, host: machine, admin, version, status: "starting" },
    };
    const key = keys(namespace).instance(this.name, instance);
    const registered = await host.registry.register(key, encodeRecord("instance", record));
    if (!registered.ok) throw new StartError(registered.error.message, exitCodes.missing);
    this.#record = record;
    this.#registration = registered.value;
  }

  /** Takes the started service over and keeps the registry's status at what its health says. */
  async run(service: Service): Promise<void> {
    this.#service = service;
    await this.#tellStatus();
    this.#held.push({ [Symbol.dispose]: () => this.#looking?.[Symbol.dispose]() });
    this.#lookLater();
  }

  /** Who is ready stays so mostly, and says himself when he stops; a look adds up all that health tells. */
  #lookLater(): void {
    const waitMs = this.#record?.status === "ready" ? readyStatusEveryMs : statusEveryMs;
    this.#looking = this.#parts.clock.timer(waitMs, () => {
      void this.#tellStatus();
      this.#lookLater();
    });
  }

  stop(signal?: AbortSignal): Promise<void> {
    return this.#stopped ??= this.#stop(signal);
  }

  async #stop(signal: AbortSignal | undefined): Promise<void> {
    this.#isDraining = true;
    await this.#tellStatus();
    if (this.#service !== undefined) await this.#drain(this.#service, signal);
    await this.#registration?.[Symbol.asyncDispose]();
    this.#registration = undefined;
    await this.#service?.[Symbol.asyncDispose]();
    for (const held of this.#held.splice(0).reverse()) held[Symbol.dispose]();
  }

  async #drain(service: Service, signal: AbortSignal | undefined): Promise<void> {
    const { clock, log, drainMs } = this.#parts;
    using deadline = clock.deadline(drainMs);
    using limit = clock.deadline(drainMs + drainGraceMs);
    const stop = signal === undefined
      ? deadline.signal
      : AbortSignal.any([deadline.signal, signal]);
    const given = Promise.withResolvers<void>();
    limit.signal.addEventListener("abort", () => given.resolve(), { once: true });
    try {
      await Promise.race([service.drain(stop), given.promise]);
    } catch (error) {
      log.error("drain failed", { error });
    }
    if (stop.aborted) log.warn("drain cut short: work was dropped", { drainMs });
  }

  async #tellStatus(): Promise<void> {
    const { status } = this.health();
    if (this.#registration === undefined || this.#record?.status === status) return;
    this.#record = { ...this.#record!, status };
    const told = await this.#registration.update(encodeRecord("instance", this.#record));
    // The registration keeps the value and sends it when the registry is back.
    if (!told.ok) {
      this.#parts.log.warn("status not told yet", { status, reason: told.error.message });
    }
  }
}
