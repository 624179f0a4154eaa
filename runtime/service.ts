import type { InstanceId, InstanceRecord, ServiceName } from "@pixii/wire";
import type { Bus } from "./bus.ts";
import type { Chance } from "./chance.ts";
import type { Clock } from "./clock.ts";
import type { ConfigOf, ConfigSchema } from "./config.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Registry } from "./registry.ts";
import type { Threads } from "./threads.ts";

/** Everything a service may touch of the world. */
export interface Ports {
  readonly bus: Bus;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly threads: Threads;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Ports plus who this running program is. */
export interface ServiceContext extends Ports {
  readonly namespace: string;
  readonly instance: InstanceId;
  /** Base URL of this service's admin routes. */
  readonly admin: string;
}

/** What `/health` says. `status` "ready" answers 200, anything else 503. */
export interface Health {
  readonly status: InstanceRecord["status"];
  /** Small facts for people: counts, what is missing, what is not built yet. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** An admin route's answer with a status of its own. */
export class RouteAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    this.status = status;
    this.body = body;
  }
}

/** A running service. */
export interface Service extends AsyncDisposable {
  health(): Health;
  /**
   * Extra GET routes of the admin port, by path (`/plan`), each returning JSON, or a `RouteAnswer` where the status is
   * not 200. A name that ends in `/*` takes every path below it.
   */
  readonly adminRoutes?: Readonly<Record<string, (url: URL) => unknown | Promise<unknown>>>;
  /**
   * What POST requests to the admin port do, by path, as `adminRoutes` answer. A request has to say
   * `content-type: application/json`, so that no page in a browser can send one.
   */
  readonly adminActions?: Readonly<Record<string, (url: URL) => unknown | Promise<unknown>>>;
  /** Takes no new work, finishes what runs; resolves when idle or when `signal` aborts. */
  drain(signal: AbortSignal): Promise<void>;
  /** For the ready file and the log: `{ "url": "http://127.0.0.1:8000" }`. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Resolves when the service cannot go on by itself (its engine died): the program then exits with 1. */
  readonly failed?: Promise<Error>;
}

/** A service as its `main.ts` runs it, and as one-process mode starts it beside others. */
export interface ServiceSpec<Schema extends ConfigSchema> {
  readonly name: ServiceName;
  /** One line for `--help`. */
  readonly summary: string;
  readonly schema: Schema;
  start(config: ConfigOf<Schema>, context: ServiceContext): Promise<Service>;
}
