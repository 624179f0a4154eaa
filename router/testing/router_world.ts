import assert from "node:assert/strict";
import { decode, encode, encodeRecord, encodeRouteRequest, keys, subjects } from "@pixii/wire";
import type {
  DecisionRecord,
  DecisionReport,
  Failure,
  InstanceId,
  LedgerEntry,
  ModelHash,
  RouteReply,
  RouteRequest,
} from "@pixii/wire";
import { startService, VirtualClock } from "@pixii/runtime";
import type { Bus, RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { routerSpec } from "../service.ts";
import type { IndexView, RankView } from "../views.ts";
import type { ReplicaView } from "../truth_view.ts";
import { cardOf, configOf, instanceOf, modelHash, routeOf } from "./samples.ts";
import { ScriptedWorker } from "./scripted_worker.ts";

const names = subjects("default");
/** The frontend that asks. */
export const frontend = instanceOf(0xf1);

/** Routers, scripted workers and a frontend's side of the conversations, under a virtual clock. */
export class RouterWorld implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly host: TestHost;
  readonly bus: Bus;
  readonly routers: RunningService[] = [];
  readonly workers: ScriptedWorker[] = [];
  #nextRequest = 1;

  constructor(seed = 1) {
    this.host = testHost({ clock: this.clock, seed });
    this.bus = this.host.connect().bus;
  }

  /** A world with one router. */
  static async open(...args: string[]): Promise<RouterWorld> {
    const world = new RouterWorld();
    await world.router(...args);
    return world;
  }

  /** Starts another router on a connection of its own. */
  async router(...args: string[]): Promise<RunningService> {
    const host = { ...this.host, ...this.host.connect() };
    const starting = startService(routerSpec, configOf(...args), host);
    const count = this.routers.length;
    const started = starting.then((router) => this.routers.push(router));
    for (let ms = 0; this.routers.length === count; ms += 10) {
      assert.ok(ms < 20_000, "the router does not start");
      await this.clock.advance(10);
    }
    await started;
    await this.clock.advance(150);
    return this.routers[count];
  }

  /** A frontend in the registry: bookings live as long as what it answers. */
  async frontend(): Promise<AsyncDisposable> {
    const { registry } = this.host.connect();
    const record = {
      ...{ service: "frontend" as const, instance: frontend, pid: 1, host: "", admin: "" },
      ...{ version: "", status: "ready" as const },
    };
    const key = keys("default").instance("frontend", frontend);
    const registered = await registry.register(key, encodeRecord("instance", record));
    assert.ok(registered.ok);
    await this.clock.advance(1);
    return registered.value;
  }

  /** Starts worker `number`. */
  async worker(number: number, more: Parameters<typeof cardOf>[1] = {}): Promise<ScriptedWorker> {
    const world = { ...this.host.connect(), clock: this.clock };
    const worker = new ScriptedWorker(world, cardOf(number, more));
    await worker.open();
    this.workers.push(worker);
    await this.clock.advance(1);
    return worker;
  }

  /** Asks some router for a place. */
  async ask(
    more: Parameters<typeof routeOf>[1] = {},
    model: ModelHash = modelHash,
  ): Promise<{ readonly request: RouteRequest; readonly reply: RouteReply }> {
    const request = routeOf(this.#nextRequest++, { frontend, ...more });
    const asking = this.bus.request(names.route(model), encodeRouteRequest(request), {
      timeoutMs: 1_000,
    });
    await this.clock.advance(1);
    const bytes = await asking;
    if (!bytes.ok) return { request, reply: { kind: "refused", error: bytes.error } };
    const reply = decode("routeReply", bytes.value);
    assert.ok(reply.ok, JSON.stringify(reply));
    return { request, reply: reply.value };
  }

  /** Where a request is placed, as the worker's number, and what it is credited with on the device. */
  async placed(
    more: Parameters<typeof routeOf>[1] = {},
  ): Promise<{ readonly worker: number; readonly device: number }> {
    const { reply } = await this.ask(more);
    assert.ok(reply.kind === "decision", JSON.stringify(reply));
    return { worker: parseInt(reply.worker.instance, 16), device: reply.overlap.device };
  }

  /** Why a request is refused. */
  async refused(more: Parameters<typeof routeOf>[1] = {}, model = modelHash): Promise<Failure> {
    const { reply } = await this.ask(more, model);
    assert.ok(reply.kind === "refused", JSON.stringify(reply));
    return reply.error;
  }

  /** Publishes ledger entries as the frontend does. */
  async tell(...entries: LedgerEntry[]): Promise<void> {
    this.bus.publish(names.ledger, encode("ledgerBatch", { from: frontend, entries }));
    await this.clock.advance(1);
  }

  /** `/index` of a router. */
  index(router = 0): IndexView {
    return this.view(router, "/index") as IndexView;
  }

  /** `/workers` of a router. */
  ranks(router = 0): readonly RankView[] {
    return this.view(router, "/workers") as readonly RankView[];
  }

  /** `/replica` of a router. */
  replica(router = 0): ReplicaView {
    return this.view(router, "/replica") as ReplicaView;
  }

  /** `/decisions` of the first router. */
  decisions(query = ""): readonly DecisionReport[] {
    return this.view(0, `/decisions${query}`) as readonly DecisionReport[];
  }

  /** The record of a request, from whichever router made the decision. */
  recordOf({ requestId }: RouteRequest): DecisionRecord {
    const found = this.routers.flatMap((_, router) =>
      this.view(router, `/decisions?request=${requestId}`) as readonly DecisionReport[]
    );
    assert.equal(found.length, 1);
    return found[0].record;
  }

  /** Sum of the metric's series that match. */
  async metric(pattern: RegExp, router = 0): Promise<number> {
    const text = await this.routers[router].metrics.text();
    const lines = text.split("\n").filter((one) => pattern.test(one));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  /** Advances until the condition holds; fails after 120 s of virtual time. */
  async until(holds: () => boolean, what: string): Promise<void> {
    for (let ms = 0; !holds(); ms += 10) {
      assert.ok(ms < 120_000, `waited in vain for ${what}`);
      await this.clock.advance(10);
    }
  }

  /** Stops a router at once. */
  async stop(router: number): Promise<void> {
    const [gone] = this.routers.splice(router, 1);
    const stopping = gone.stop(AbortSignal.abort());
    await this.clock.advance(100);
    await stopping;
  }

  /** What a router's admin port answers. */
  view(router: number, path: string): unknown {
    const url = new URL(path, "http://x");
    return this.routers[router].service.adminRoutes![url.pathname](url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.workers) await worker.stop();
    while (this.routers.length > 0) await this.stop(0);
    await this.host[Symbol.asyncDispose]();
  }
}

/** The instance id of a reply's worker. */
export function workerOf(reply: RouteReply): InstanceId {
  assert.ok(reply.kind === "decision", JSON.stringify(reply));
  return reply.worker.instance;
}
