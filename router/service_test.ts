import assert from "node:assert/strict";
import {
  decode,
  encodeLedgerBatch,
  encodeRecord,
  encodeRouteRequest,
  fail,
  keys,
  limits,
  modelHashOf,
  streamKeyText,
  subjects as subjectsOf,
} from "@pixii/wire";
import type {
  DecisionRecord,
  DecisionReport,
  InstanceId,
  LedgerEntry,
  ModelHash,
  RouteReply,
  RouteRequest,
  WorkerRank,
} from "@pixii/wire";
import { startService, VirtualClock } from "@pixii/runtime";
import type { Bus, RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { routerSpec } from "./service.ts";
import {
  cardOf,
  configOf,
  hashesOf,
  instanceOf,
  modelHash,
  requestOf,
  routeOf,
} from "./testing/samples.ts";
import { ScriptedWorker } from "./testing/scripted_worker.ts";
import type { IndexView, RankView } from "./views.ts";

const subjects = subjectsOf("default");
const frontend = instanceOf(0xf1);

/** A router, scripted workers and a frontend's side of the conversations, under a virtual clock. */
class World implements AsyncDisposable {
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

  static async open(...args: string[]): Promise<World> {
    const world = new World();
    await world.router(...args);
    return world;
  }

  /** Starts another router on a connection of its own. */
  async router(...args: string[]): Promise<RunningService> {
    const host = { ...this.host, ...this.host.connect() };
    const starting = startService(routerSpec, configOf(...args), host);
    await this.clock.advance(0);
    const router = await starting;
    this.routers.push(router);
    return router;
  }

  async worker(number: number, more: Parameters<typeof cardOf>[1] = {}): Promise<ScriptedWorker> {
    const world = { ...this.host.connect(), clock: this.clock };
    const worker = new ScriptedWorker(world, cardOf(number, more));
    await worker.open();
    this.workers.push(worker);
    await this.clock.advance(1);
    return worker;
  }

  async ask(
    more: Parameters<typeof routeOf>[1] = {},
    model: ModelHash = modelHash,
  ): Promise<{ readonly request: RouteRequest; readonly reply: RouteReply }> {
    const request = routeOf(this.#nextRequest++, { frontend, ...more });
    const asking = this.bus.request(subjects.route(model), encodeRouteRequest(request), {
      timeoutMs: 1_000,
    });
    await this.clock.advance(1);
    const bytes = await asking;
    if (!bytes.ok) return { request, reply: { kind: "refused", error: bytes.error } };
    const reply = decode("routeReply", bytes.value);
    assert.ok(reply.ok, JSON.stringify(reply));
    return { request, reply: reply.value };
  }

  /** Where a request is placed, as the worker's number. */
  async placed(more: Parameters<typeof routeOf>[1] = {}): Promise<number> {
    const { reply } = await this.ask(more);
    assert.ok(reply.kind === "decision", JSON.stringify(reply));
    return parseInt(reply.worker.instance, 16);
  }

  async refused(more: Parameters<typeof routeOf>[1] = {}, model = modelHash) {
    const { reply } = await this.ask(more, model);
    assert.ok(reply.kind === "refused", JSON.stringify(reply));
    return reply.error;
  }

  /** Publishes ledger entries as the frontend does. */
  async tell(...entries: LedgerEntry[]): Promise<void> {
    this.bus.publish(subjects.ledger, encodeLedgerBatch({ from: frontend, entries }));
    await this.clock.advance(1);
  }

  index(router = 0): IndexView {
    return this.#view(router, "/index") as IndexView;
  }

  ranks(router = 0): readonly RankView[] {
    return this.#view(router, "/workers") as readonly RankView[];
  }

  decisions(query = ""): readonly DecisionReport[] {
    return this.#view(0, `/decisions${query}`) as readonly DecisionReport[];
  }

  /** The record of a request, from whichever router made the decision. */
  recordOf({ requestId }: RouteRequest): DecisionRecord {
    const found = this.routers.flatMap((_, router) =>
      this.#view(router, `/decisions?request=${requestId}`) as readonly DecisionReport[]
    );
    assert.equal(found.length, 1);
    return found[0].record;
  }

  async metric(pattern: RegExp): Promise<number> {
    const text = await this.routers[0].metrics.text();
    const line = text.split("\n").find((one) => pattern.test(one));
    return line === undefined ? 0 : Number(line.split(" ").at(-1));
  }

  /** Advances until the condition holds; fails after 60 s of virtual time. */
  async until(holds: () => boolean, what: string): Promise<void> {
    for (let ms = 0; !holds(); ms += 10) {
      assert.ok(ms < 60_000, `waited in vain for ${what}`);
      await this.clock.advance(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.workers) await worker.stop();
    const stopping = this.routers.map((router) => router.stop(AbortSignal.abort()));
    await this.clock.advance(100);
    await Promise.all(stopping);
    await this.host[Symbol.asyncDispose]();
  }

  #view(router: number, path: string): unknown {
    const url = new URL(path, "http://x");
    return this.routers[router].service.adminRoutes![url.pathname](url);
  }
}

function bookOf(request: RouteRequest, worker: WorkerRank, prefillTokens = 64): LedgerEntry {
  const { requestId, attempt, leg } = request;
  return {
    ...{ op: "book", requestId, attempt, leg, model: modelHash, worker, frontend },
    ...{ prefillTokens, blocks: 4 },
  };
}

function factOf(op: "first-token" | "complete", request: RouteRequest): LedgerEntry {
  const { requestId, attempt, leg } = request;
  return { op, requestId, attempt, leg };
}

Deno.test("router places requests by prefix, books them and shows why", async () => {
  await using world = await World.open();
  for (const number of [1, 2, 3]) await world.worker(number);
  world.workers[1].store(hashesOf(5, 3));
  await world.clock.advance(1);
  const { request, reply } = await world.ask({ seed: 5, hints: { priority: 7 } });
  assert.ok(reply.kind === "decision");
  assert.deepEqual([reply.worker.instance, reply.blockSize], [instanceOf(2), 16]);
  assert.deepEqual(reply.overlap, { device: 3, host: 0, disk: 0 });
  assert.equal(reply.record.byteLength, 0);
  assert.deepEqual(world.ranks()[1].ledger, {
    ...{ bookings: 1, prefillTokens: 16, blocks: 4, otherRequests: 0 },
  });
  const [kept] = world.decisions();
  assert.equal(kept.record.router, world.routers[0].instance);
  assert.deepEqual([kept.hints?.priority, kept.frontend], [7, frontend]);
  assert.equal(world.decisions(`?request=${request.requestId}`).length, 1);
  assert.equal(world.decisions(`?request=${requestOf(999)}`).length, 0);
  assert.equal(world.decisions("?request=nonsense").length, 0);
  assert.equal(world.decisions("?limit=0").length, 0);
  assert.equal(await world.metric(/^pixii_router_decisions_total\{.*policy="kv"/), 1);
  assert.equal(await world.metric(/^pixii_router_overlap_blocks_total\{.*tier="device"/), 3);
  assert.equal(await world.metric(/^pixii_router_index_blocks\{/), 3);
  const { status, details } = world.routers[0].health();
  assert.equal(status, "ready");
  assert.deepEqual(details.models, { "org/sample": { workers: 3, live: 3 } });
  assert.deepEqual(details.index, {
    ...{ blocks: 3, capacityBytes: 536_870_912, new: 0, exact: 3, behind: 0, degraded: 0 },
  });
});

Deno.test("router follows stores, removals and copies", async () => {
  await using world = await World.open();
  for (const number of [1, 2]) await world.worker(number);
  const [one, two] = world.workers;
  one.store(hashesOf(1, 4));
  one.store(hashesOf(1, 4));
  two.store(hashesOf(1, 2));
  one.remove(hashesOf(1, 4));
  await world.clock.advance(1);
  assert.equal(await world.placed(), 1);
  one.remove(hashesOf(1, 4));
  await world.clock.advance(1);
  const { request } = await world.ask();
  assert.deepEqual(world.recordOf(request).candidates.map((each) => each.overlap.device), [2, 0]);
});

Deno.test("a lost batch is seen by the next one and made good by a snapshot in parts", async () => {
  await using world = await World.open();
  const worker = await world.worker(1);
  worker.script.partBytes = 50;
  worker.store(hashesOf(1, 2));
  worker.script.losesBatches = true;
  worker.store(hashesOf(2, 4));
  worker.script.losesBatches = false;
  worker.store(hashesOf(3, 1));
  const source = () => world.index().sources[0];
  await world.until(() => source().state === "exact" && source().number === 3, "the snapshot");
  assert.equal(source().blocks, worker.blocks);
  assert.equal(worker.asked.snapshots, 1);
  assert.ok(worker.asked.parts > 3);
  assert.equal(await world.metric(/^pixii_router_event_gaps_total\{.*cause="gap"/), 1);
  assert.equal(await world.metric(/^pixii_router_snapshots_total\{.*result="swapped"/), 1);
});

Deno.test("a lost last batch is seen by the reports", async () => {
  await using world = await World.open();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 2));
  worker.script.losesBatches = true;
  worker.remove(hashesOf(1, 1));
  const source = () => world.index().sources[0];
  await world.until(() => source().number === 2, "the snapshot");
  assert.equal(source().blocks, 1);
  assert.ok(world.clock.nowMs() < 1_000, `${world.clock.nowMs()} ms`);
  assert.equal(await world.metric(/^pixii_router_event_gaps_total\{.*cause="lost-last"/), 1);
});

Deno.test("a router that starts late asks for what it missed", async () => {
  await using world = new World();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 4));
  worker.store(hashesOf(2, 4));
  await world.clock.advance(100);
  await world.router();
  await world.until(() => world.index().sources[0]?.number === 2, "the snapshot");
  assert.equal(world.index().blocks, 8);
});

Deno.test("snapshots that fail are tried again; a worker without one counts as empty and still works", async () => {
  await using world = await World.open();
  const worker = await world.worker(1);
  worker.script.refuse = fail("engine_failed", "not now").error;
  worker.script.losesBatches = true;
  worker.store(hashesOf(1, 4));
  const source = () => world.index().sources[0];
  await world.until(() => source().state === "degraded", "the router to give up");
  assert.equal(worker.asked.snapshots, 6);
  assert.equal(await world.placed(), 1);
  assert.ok(world.host.lines.some((line) => /no snapshot to be had/.test(line.message)));
  worker.script.refuse = undefined;
  worker.script.corrupts = true;
  await world.clock.advance(6_000);
  assert.ok(await world.metric(/^pixii_router_snapshots_total\{.*result="artifact_invalid"/) > 0);
  worker.script.corrupts = false;
  await world.until(() => source().state === "exact", "the snapshot");
  assert.equal(source().blocks, 4);
});

Deno.test("an index over its bytes forgets cold blocks, says so, and stays within them", async () => {
  await using world = await World.open("--index-max-bytes", "1MiB");
  await world.worker(1);
  const [worker] = world.workers;
  for (let seed = 1; seed <= 60; seed++) worker.store(hashesOf(seed, 4_000));
  await world.clock.advance(10);
  const { bytes, capacityBytes, blocks, evictedBlocks, sources } = world.index();
  assert.equal(blocks + evictedBlocks, 60 * 4_000);
  assert.ok(evictedBlocks > 100_000 && blocks > 60_000, `${blocks} of ${evictedBlocks} stay`);
  assert.ok(bytes <= capacityBytes);
  assert.equal(await world.metric(/^pixii_router_index_evicted_blocks/), evictedBlocks);
  // What the worker removes later and the index forgot is no contradiction.
  for (let seed = 1; seed <= 60; seed++) worker.remove(hashesOf(seed, 100));
  await world.clock.advance(10);
  assert.deepEqual([sources[0].state, world.index().sources[0].state], ["exact", "exact"]);
  assert.equal(await world.placed(), 1);
});

Deno.test("a worker that falls silent gets no work after 750 ms, and has it again when heard", async () => {
  await using world = await World.open();
  for (const number of [1, 2]) await world.worker(number);
  const [one, two] = world.workers;
  one.store(hashesOf(1, 4));
  await world.clock.advance(500);
  assert.equal(await world.placed(), 1);
  one.script.isSilent = true;
  await world.clock.advance(1_000);
  assert.equal(world.ranks()[0].state, "suspect");
  assert.equal(await world.placed(), 2);
  two.script.isSilent = true;
  await world.clock.advance(3_000);
  const error = await world.refused();
  assert.deepEqual([error.code, error.retryAfterMs], ["no_worker", 250]);
  assert.match(error.message, /2 silent/);
  assert.equal(world.ranks()[0].state, "dead");
  one.script.isSilent = false;
  await world.clock.advance(250);
  assert.equal(await world.placed(), 1);
});

Deno.test("silence is not counted while the bus was away", async () => {
  const world = new World();
  const connection = world.host.connect();
  const router = startService(routerSpec, configOf(), { ...world.host, ...connection });
  await world.clock.advance(0);
  world.routers.push(await router);
  await using _world = world;
  await world.worker(1);
  const bus = connection.bus as Bus & { disconnect(): void; reconnect(): void };
  bus.disconnect();
  await world.clock.advance(10_000);
  bus.reconnect();
  await world.clock.advance(1);
  assert.equal(await world.placed(), 1);
});

Deno.test("hung and draining workers get no work", async () => {
  await using world = await World.open("--liveness-hung-step", "10s");
  for (const number of [1, 2, 3]) await world.worker(number);
  world.workers[0].script.report = { stepAgeMs: 10_000 };
  world.workers[1].script.report = { draining: true };
  await world.clock.advance(300);
  assert.deepEqual(world.ranks().map((rank) => rank.state), ["hung", "draining", "live"]);
  assert.equal(await world.placed(), 3);
  assert.equal(await world.metric(/^pixii_router_workers\{.*state="draining"/), 1);
});

Deno.test("a model is routed from its first card to its last", async () => {
  await using world = await World.open();
  const other = modelHashOf("other");
  assert.equal((await world.refused()).code, "no_responders");
  const one = await world.worker(1);
  await world.worker(2, { name: "other", hash: other });
  assert.equal(await world.placed(), 1);
  const { request, reply } = await world.ask({}, other);
  assert.ok(reply.kind === "decision" && reply.worker.instance === instanceOf(2));
  assert.equal(world.recordOf(request).model, "other");
  one.script.isSilent = true;
  await one.leave();
  await world.clock.advance(1_250);
  assert.equal((await world.refused()).code, "no_responders");
  assert.equal((await world.ask({}, other)).reply.kind, "decision");
});

Deno.test("a card that flickers in the registry costs nothing", async () => {
  await using world = await World.open();
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 4));
  await worker.leave();
  await world.clock.advance(2_500);
  assert.equal(await world.placed(), 1);
  assert.equal(world.index().blocks, 4);
  const { registry } = world.host.connect();
  const key = keys("default").model(modelHash, worker.card.instance);
  await registry.put(key, encodeRecord("model", worker.card));
  await world.clock.advance(10_000);
  assert.equal(world.index().blocks, 4);
  await registry.remove(key);
  await world.clock.advance(4_000);
  assert.equal(world.index().blocks, 0);
});

Deno.test("a booking lasts from the decision to the frontend's complete", async () => {
  await using world = await World.open();
  const worker = await world.worker(1);
  await registerFrontend(world.host.connect().registry, frontend);
  const { request, reply } = await world.ask();
  assert.ok(reply.kind === "decision");
  const ledger = () => {
    const { bookings, prefillTokens, blocks } = world.ranks()[0].ledger;
    return [bookings, prefillTokens, blocks];
  };
  assert.deepEqual(ledger(), [1, 64, 4]);
  await world.tell(bookOf(request, reply.worker));
  worker.streams.add(streamKeyText(request));
  await world.clock.advance(6_000);
  assert.deepEqual(ledger(), [1, 64, 4]);
  await world.tell(factOf("first-token", request));
  assert.deepEqual(ledger(), [1, 0, 4]);
  worker.streams.clear();
  await world.tell(factOf("complete", request), bookOf(request, reply.worker));
  assert.deepEqual(ledger(), [0, 0, 0]);
});

Deno.test("a decision whose answer was lost is dropped after 5 s, a lost complete by the reports", async () => {
  await using world = await World.open();
  const worker = await world.worker(1);
  await registerFrontend(world.host.connect().registry, frontend);
  const first = await world.ask();
  // Its reports would prove the booking lost even earlier.
  worker.script.isSilent = true;
  await world.clock.advance(5_500);
  assert.equal(world.ranks()[0].ledger.bookings, 0);
  assert.equal(await world.metric(/^pixii_router_ledger_dropped_total\{.*cause="unconfirmed"/), 1);
  worker.script.isSilent = false;
  await world.clock.advance(250);
  const { request } = await world.ask();
  assert.notEqual(request.requestId, first.request.requestId);
  await world.tell(bookOf(request, { instance: instanceOf(1), dpRank: 0 }));
  await world.until(() => world.ranks()[0].ledger.bookings === 0, "the reports");
  assert.equal(await world.metric(/^pixii_router_ledger_dropped_total\{.*cause="drift"/), 1);
});

async function registerFrontend(registry: TestHost["registry"], instance: InstanceId) {
  const record = {
    ...{ service: "frontend" as const, instance, pid: 1, host: "", admin: "", version: "" },
    status: "ready" as const,
  };
  const key = keys("default").instance("frontend", instance);
  const put = await registry.register(key, encodeRecord("instance", record));
  assert.ok(put.ok);
  return put.value;
}

Deno.test("the bookings of a frontend die with it", async () => {
  await using world = await World.open();
  const worker = await world.worker(1);
  const registration = await registerFrontend(world.host.connect().registry, frontend);
  const { request, reply } = await world.ask();
  assert.ok(reply.kind === "decision");
  await world.tell(bookOf(request, reply.worker));
  worker.streams.add(streamKeyText(request));
  await world.clock.advance(20_000);
  assert.equal(world.ranks()[0].ledger.bookings, 1);
  await registration[Symbol.asyncDispose]();
  await world.clock.advance(2_500);
  assert.equal(world.ranks()[0].ledger.bookings, 1);
  await world.clock.advance(1_000);
  assert.equal(world.ranks()[0].ledger.bookings, 0);
});

Deno.test("two routers share the work and agree on the ledger", async () => {
  await using world = await World.open();
  await world.router();
  for (const number of [1, 2, 3]) await world.worker(number);
  await registerFrontend(world.host.connect().registry, frontend);
  world.workers[2].store(hashesOf(3, 4));
  await world.clock.advance(1);
  const live: RouteRequest[] = [];
  const routers = new Set<InstanceId>();
  for (let i = 0; i < 40; i++) {
    const { request, reply } = await world.ask({ seed: i % 5 });
    assert.ok(reply.kind === "decision", JSON.stringify(reply));
    routers.add(world.recordOf(request).router);
    const worker = world.workers[parseInt(reply.worker.instance, 16) - 1];
    await world.tell(bookOf(request, reply.worker, 64 - 16 * reply.overlap.device));
    worker.streams.add(streamKeyText(request));
    live.push(request);
    if (i % 3 === 0) await world.tell(factOf("first-token", request));
    if (i % 2 === 0) {
      const [ended] = live.splice(i % live.length, 1);
      for (const one of world.workers) one.streams.delete(streamKeyText(ended));
      await world.tell(factOf("complete", ended));
    }
  }
  assert.equal(routers.size, 2);
  await world.clock.advance(1_000);
  const ledgers = [0, 1].map((router) => world.ranks(router).map((rank) => rank.ledger));
  assert.deepEqual(ledgers[0], ledgers[1]);
  assert.equal(ledgers[0].reduce((sum, one) => sum + one.bookings, 0), live.length);
  assert.ok(ledgers[0].every((one) => one.otherRequests === 0));
});

Deno.test("what cannot be read is refused or passed over, and counted", async () => {
  await using world = await World.open();
  await world.worker(1);
  for (const subject of [subjects.ledger, subjects.load(frontend), subjects.kvEvents(frontend)]) {
    world.bus.publish(subject, new Uint8Array([1, 2, 3]));
  }
  const asking = world.bus.request(subjects.route(modelHash), new Uint8Array([1, 1]), {
    timeoutMs: 100,
  });
  await world.clock.advance(1);
  const bytes = await asking;
  assert.ok(bytes.ok);
  const reply = decode("routeReply", bytes.value);
  assert.ok(reply.ok && reply.value.kind === "refused");
  assert.equal(reply.value.error.code, "decode_error");
  assert.equal((await world.refused({ remainingMs: 0 })).code, "timeout");
  for (const kind of ["ledger", "load", "kv"]) {
    const pattern = new RegExp(`^pixii_router_bad_messages_total\\{.*kind="${kind}"`);
    assert.equal(await world.metric(pattern), 1);
  }
  assert.equal(await world.metric(/^pixii_router_refusals_total\{.*code="timeout"/), 1);
});

Deno.test("a router that drains answers no more requests and leaves no timer", async () => {
  const world = await World.open();
  const worker = await world.worker(1);
  assert.equal(await world.placed(), 1);
  const stopping = world.routers[0].stop();
  await world.clock.advance(100);
  await stopping;
  assert.equal((await world.refused()).code, "no_responders");
  await worker.stop();
  await world.host[Symbol.asyncDispose]();
  assert.equal(world.clock.waiting, 0);
});

/** Everything that crosses bus and registry, and every view, while a router serves faulty workers for 20 s. */
async function recordRun(seed: number): Promise<string> {
  const world = new World(seed);
  const { clock, host } = world;
  const seen: string[] = [];
  const listen = (subject: string) =>
    world.bus.subscribe(subject, (message) => {
      seen.push(`${clock.nowMs()} ${message.subject} ${message.payload.toHex()}`);
    });
  for (const subject of [subjects.allLoad, subjects.allKvEvents, subjects.ledger]) listen(subject);
  await world.router("--kv-temperature", "0.5");
  for (const number of [1, 2, 3]) await world.worker(number);
  const { chance } = host;
  for (let i = 0; i < 200; i++) {
    const worker = world.workers[chance.u32() % 3];
    worker.script.losesBatches = chance.float() < 0.2;
    worker.script.isSilent = chance.float() < 0.1;
    const list = hashesOf(chance.u32() % 6, 1 + chance.u32() % 6);
    if (chance.float() < 0.6) worker.store(list);
    else worker.remove(list);
    const { request, reply } = await world.ask({ seed: chance.u32() % 6 });
    seen.push(`${clock.nowMs()} ${JSON.stringify(reply)}`);
    if (reply.kind === "decision" && chance.float() < 0.8) {
      await world.tell(bookOf(request, reply.worker), factOf("complete", request));
    }
    await clock.advance(limits.loadEveryMs * chance.float());
    seen.push(JSON.stringify([world.ranks(), world.decisions("?limit=1")]));
  }
  seen.push(JSON.stringify(host.lines));
  await world[Symbol.asyncDispose]();
  return seen.join("\n");
}

Deno.test("a router under the virtual clock and one seed says the same bytes every time", async () => {
  const first = await recordRun(42);
  assert.ok(first.split("\n").length > 400);
  assert.equal(await recordRun(42), first);
  assert.notEqual(await recordRun(43), first);
});
