import assert from "node:assert/strict";
import {
  decode,
  encode,
  encodeRecord,
  encodeRouteRequest,
  keys,
  limits,
  subjects as subjectsOf,
} from "@pixii/wire";
import type { LedgerEntry, RouteNotice, RouteReply, RouteRequest } from "@pixii/wire";
import { startService, VirtualClock } from "@pixii/runtime";
import type { Bus, RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import type { QueueView } from "./queue_view.ts";
import { routerSpec } from "./service.ts";
import { cardOf, configOf, instanceOf, modelHash, modelName, routeOf } from "./testing/samples.ts";
import { ScriptedWorker } from "./testing/scripted_worker.ts";

const subjects = subjectsOf("default");
const frontend = instanceOf(0xf1);

/** A router before one worker that takes one request, and a frontend's side of waiting, under a virtual clock. */
class QueueWorld implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly host: TestHost = testHost({ clock: this.clock, seed: 1 });
  readonly bus: Bus = this.host.connect().bus;
  readonly notices: RouteNotice[] = [];
  readonly requests: RouteRequest[] = [];
  readonly routers: RunningService[] = [];
  readonly #workers: ScriptedWorker[] = [];

  static async open(...args: string[]): Promise<QueueWorld> {
    const world = new QueueWorld();
    world.bus.subscribe(subjects.notices(frontend), ({ payload }) => {
      const notice = decode("routeNotice", payload);
      assert.ok(notice.ok, JSON.stringify(notice));
      world.notices.push(notice.value);
    });
    const { registry } = world.host.connect();
    const record = encodeRecord("instance", {
      ...{ service: "frontend", instance: frontend, pid: 1, host: "h", admin: "http://x" },
      ...{ version: "0", status: "ready" },
    });
    await registry.register(keys("default").instance("frontend", frontend), record);
    await world.router("--queue-waiting-per-rank", "0", ...args);
    await world.worker(1);
    return world;
  }

  async router(...args: string[]): Promise<void> {
    const host = { ...this.host, ...this.host.connect() };
    const starting = startService(routerSpec, configOf(...args), host);
    await this.clock.advance(0);
    this.routers.push(await starting);
  }

  async worker(number: number): Promise<void> {
    const world = { ...this.host.connect(), clock: this.clock };
    const worker = new ScriptedWorker(world, cardOf(number, { maxSeqs: 1 }));
    await worker.open();
    this.#workers.push(worker);
    await this.clock.advance(1);
  }

  async ask(more: Parameters<typeof routeOf>[1] = {}): Promise<RouteReply> {
    const request = routeOf(this.requests.length + 1, { frontend, ...more });
    this.requests.push(request);
    const asking = this.bus.request(subjects.route(modelHash), encodeRouteRequest(request), {
      timeoutMs: 1_000,
    });
    await this.clock.advance(1);
    const bytes = await asking;
    assert.ok(bytes.ok, JSON.stringify(bytes));
    const reply = decode("routeReply", bytes.value);
    assert.ok(reply.ok, JSON.stringify(reply));
    return reply.value;
  }

  keyOf(number: number) {
    const { requestId, attempt, leg } = this.requests[number - 1];
    return { requestId, attempt, leg };
  }

  async tell(...entries: LedgerEntry[]): Promise<void> {
    this.bus.publish(subjects.ledger, encode("ledgerBatch", { from: frontend, entries }));
    await this.clock.advance(1);
  }

  /** What the frontend tells when request `number` is over. */
  async done(number: number): Promise<void> {
    await this.tell({ op: "complete", ...this.keyOf(number) });
  }

  /** Answers so far: request number and worker number or code. */
  answers(): [number, number | string][] {
    return this.notices.flatMap((notice): [number, number | string][] => {
      if (notice.kind !== "answer") return [];
      const reply = decode("routeReply", notice.reply);
      assert.ok(reply.ok && reply.value.kind !== "queued");
      const number = parseInt(notice.requestId, 16);
      if (reply.value.kind === "refused") return [[number, reply.value.error.code]];
      return [[number, parseInt(reply.value.worker.instance, 16)]];
    });
  }

  queue(): readonly QueueView[] {
    return this.routers[0].service.adminRoutes!["/queue"](new URL("http://x/queue")) as QueueView[];
  }

  async metric(pattern: RegExp): Promise<number> {
    const text = await this.routers[0].metrics.text();
    const line = text.split("\n").find((one) => pattern.test(one));
    return line === undefined ? 0 : Number(line.split(" ").at(-1));
  }

  async stopRouter(): Promise<void> {
    const stopping = this.routers.shift()!.stop(new AbortController().signal);
    await this.clock.advance(100);
    await stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) await worker.stop();
    const stopping = this.routers.map((router) => router.stop(AbortSignal.abort()));
    await this.clock.advance(100);
    await Promise.all(stopping);
    await this.host[Symbol.asyncDispose]();
  }
}

Deno.test("a request waits with beats while its worker is full, and gets its answer when there is room", async () => {
  await using world = await QueueWorld.open();
  assert.equal((await world.ask()).kind, "decision");
  const router = world.routers[0].instance;
  assert.deepEqual(await world.ask(), { kind: "queued", router, ahead: 0 });
  await world.clock.advance(1_100);
  const waiting = { kind: "waiting", router, streams: [world.keyOf(2)] };
  assert.deepEqual(world.notices, [waiting, waiting]);
  await world.done(1);
  assert.deepEqual(world.answers(), [[2, 1]]);
  const [kept] = world.routers[0].service.adminRoutes!["/decisions"](
    new URL("http://x/decisions?limit=1"),
  ) as { readonly record: { readonly requestId: string } }[];
  assert.equal(kept.record.requestId, world.requests[1].requestId);
  world.notices.length = 0;
  await world.clock.advance(2_000);
  assert.deepEqual(world.notices, []);
});

Deno.test("without a full worker nothing but the one answer is said", async () => {
  await using world = await QueueWorld.open();
  assert.equal((await world.ask()).kind, "decision");
  await world.done(1);
  assert.equal((await world.ask()).kind, "decision");
  await world.clock.advance(2_000);
  assert.deepEqual([world.notices, world.queue()], [[], []]);
});

Deno.test("cancel-route, and a complete entry, end a wait without an answer", async () => {
  await using world = await QueueWorld.open();
  for (let i = 0; i < 4; i++) await world.ask();
  const control = encode("control", { op: "cancel-route", ...world.keyOf(2) });
  world.bus.publish(subjects.control(world.routers[0].instance), control);
  await world.done(3);
  await world.clock.advance(1);
  await world.done(1);
  assert.deepEqual(world.answers(), [[4, 1]]);
  assert.equal(await world.metric(/^pixii_router_queue_ended_total.*"cancelled"/), 2);
  assert.equal(await world.metric(/^pixii_router_queue_ended_total.*"placed"/), 1);
  assert.equal(await world.metric(/^pixii_router_queue_seconds_count/), 1);
});

Deno.test("over the bounds a request is refused with 429 or 529 and a time to come back", async () => {
  const bounds = ["--queue-max-requests", "2", "--queue-tenant-share", "0.5"];
  await using world = await QueueWorld.open(...bounds);
  await world.ask();
  assert.equal((await world.ask({ hints: { tenant: "a" } })).kind, "queued");
  const codeOf = (reply: RouteReply) =>
    reply.kind === "refused" ? [reply.error.code, reply.error.retryAfterMs] : reply.kind;
  assert.deepEqual(codeOf(await world.ask({ hints: { tenant: "a" } })), ["rate_limited", 1_000]);
  assert.equal((await world.ask({ hints: { tenant: "b" } })).kind, "queued");
  assert.deepEqual(codeOf(await world.ask({ hints: { tenant: "c" } })), ["overloaded", 1_000]);
  assert.equal(await world.metric(/^pixii_router_refusals_total.*"rate_limited"/), 1);
});

Deno.test("the queue is shown on the admin port, in health and in metrics", async () => {
  await using world = await QueueWorld.open();
  await world.ask();
  await world.ask({ hints: { tenant: "a", priority: 7 } });
  await world.clock.advance(100);
  const [view] = world.queue();
  assert.deepEqual([view.model, view.requests, view.tokens], [modelName, 1, 64]);
  assert.deepEqual(view.tenants, [{ tenant: "a", requests: 1, tokens: 64, served: 0 }]);
  const [{ priority, waitedMs }] = view.waiting;
  assert.deepEqual([priority, waitedMs >= 100], [7, true]);
  assert.equal(world.routers[0].service.health().details?.queue, 1);
  assert.equal(await world.metric(/^pixii_router_queue_pending_requests/), 1);
  assert.equal(await world.metric(/^pixii_router_queue_pending_isl_tokens/), 64);
});

Deno.test("a wait ends with its time, within 100 ms", async () => {
  await using world = await QueueWorld.open("--queue-max-wait", "2s");
  await world.ask();
  await world.ask({ remainingMs: 1_000 });
  await world.ask();
  await world.clock.advance(1_100);
  assert.deepEqual(world.answers(), [[2, "timeout"]]);
  await world.clock.advance(1_000);
  assert.deepEqual(world.answers(), [[2, "timeout"], [3, "overloaded"]]);
});

Deno.test("a router that drains sends those who wait to another router", async () => {
  await using world = await QueueWorld.open();
  await world.ask();
  await world.ask();
  await world.stopRouter();
  assert.deepEqual(world.answers(), [[2, "draining"]]);
});

Deno.test("a second worker takes those who wait for the first", async () => {
  await using world = await QueueWorld.open();
  await world.ask();
  await world.ask();
  await world.worker(2);
  await world.clock.advance(limits.loadEveryMs);
  assert.deepEqual(world.answers(), [[2, 2]]);
});

Deno.test("a booking tells every router where a session is", async () => {
  await using world = await QueueWorld.open("--queue-waiting-per-rank", "9");
  await world.worker(2);
  const request = routeOf(99, { frontend });
  const { requestId, attempt, leg } = request;
  for (const number of [2, 1]) {
    const session = `s${number}`;
    await world.tell({
      ...{ op: "book", requestId, attempt: attempt + number, leg, model: modelHash, frontend },
      ...{ worker: { instance: instanceOf(number), dpRank: 0 }, prefillTokens: 1, blocks: 1 },
      ...{ session, sessionTtlMs: 60_000 },
    });
    for (let i = 0; i < 3; i++) {
      const reply = await world.ask({ hints: { session, sessionMode: "hard" }, seed: 10 * i });
      assert.ok(reply.kind === "decision");
      assert.equal(reply.worker.instance, instanceOf(number));
    }
  }
});

Deno.test("requests that come together are answered when they are gathered, the least work first", async () => {
  await using world = await QueueWorld.open(
    ...["--policy", "ttft", "--queue-wait-for-best", "--queue-gather", "20ms"],
    ...["--queue-work-weight", "3"],
  );
  assert.equal((await world.ask({ blocks: 60, seed: 1 })).kind, "queued");
  await world.clock.advance(8);
  assert.equal((await world.ask({ blocks: 2, seed: 2 })).kind, "queued");
  assert.deepEqual(world.answers(), []);
  // Not at a tick of 50 ms, but when the 20 ms of the first are over.
  await world.clock.advance(12);
  assert.deepEqual(world.answers(), [[2, 1]]);
  await world.done(2);
  assert.deepEqual(world.answers(), [[2, 1], [1, 1]]);
});
