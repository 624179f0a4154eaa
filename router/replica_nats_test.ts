import assert from "node:assert/strict";
import { decode, encode, encodeRouteRequest, streamKeyText, subjects } from "@pixii/wire";
import type { LedgerEntry } from "@pixii/wire";
import { connectBus, seededChance, startService, systemClock } from "@pixii/runtime";
import type { Bus, RunningService } from "@pixii/runtime";
import { findServer, startNats, testHost } from "@pixii/runtime/testing";
import { routerSpec } from "./service.ts";
import { cardOf, configOf, hashesOf, instanceOf, modelHash, routeOf } from "./testing/samples.ts";
import { ScriptedWorker } from "./testing/scripted_worker.ts";
import type { ReplicaView } from "./truth_view.ts";

const hasNats = findServer("nats-server") !== undefined;
if (!hasNats) console.log("skipped: routers over NATS: install nats-server");
const names = subjects("default");
const frontend = instanceOf(0xf1);
/** From its start a router that came back is in step within this. */
const inStepMs = 2_000;

Deno.test({
  name: "two routers over NATS are in step; one gone, the other serves; back, it is in step again",
  ignore: !hasNats,
  async fn() {
    await using nats = await startNats();
    const clock = systemClock();
    const host = testHost({ clock });
    const buses: Bus[] = [];
    const connect = async () => {
      const log = host.log("bus");
      const bus = await connectBus(nats.url, { clock, log, signal: new AbortController().signal });
      assert.ok(bus.ok);
      buses.push(bus.value);
      return { bus: bus.value, registry: host.connect().registry };
    };
    const start = async () => startService(routerSpec, configOf(), { ...host, ...await connect() });
    const replica = ({ service }: RunningService) =>
      service.adminRoutes!["/replica"](new URL("http://x/replica")) as ReplicaView;
    const until = async (holds: () => boolean, what: string) => {
      for (let tries = 0; !holds(); tries++) {
        assert.ok(tries < 500, `waited in vain for ${what}`);
        await clock.sleep(10);
      }
    };
    const workers: ScriptedWorker[] = [];
    const { bus } = await connect();
    const chance = seededChance(7);
    let requests = 0;
    const churn = async (steps: number) => {
      for (let i = 0; i < steps; i++) {
        const worker = workers[chance.u32() % workers.length];
        const list = hashesOf(chance.u32() % 5, 1 + chance.u32() % 40);
        if (chance.float() < 0.7) worker.store(list);
        else worker.remove(list);
        const request = routeOf(++requests, { frontend, seed: chance.u32() % 5, blocks: 40 });
        const bytes = await bus.request(names.route(modelHash), encodeRouteRequest(request), {
          timeoutMs: 2_000,
        });
        assert.ok(bytes.ok, JSON.stringify(bytes));
        const reply = decode("routeReply", bytes.value);
        assert.ok(reply.ok && reply.value.kind === "decision");
        const { requestId, attempt, leg } = request;
        const key = { requestId, attempt, leg };
        const entries: LedgerEntry[] = [{
          ...{ op: "book", ...key, model: modelHash, worker: reply.value.worker, frontend },
          ...{ prefillTokens: 64, blocks: 4 },
        }];
        const { streams } = workers[parseInt(reply.value.worker.instance, 16) - 1];
        if (chance.float() < 0.6) entries.push({ op: "complete", ...key });
        else streams.add(streamKeyText(request));
        bus.publish(names.ledger, encode("ledgerBatch", { from: frontend, entries }));
      }
      await bus.flush();
    };
    // A frontend that nobody sees in the registry keeps its bookings for 3 s: the churn is shorter.
    const routers = [await start(), await start()];
    const inStep = () => {
      const [a, b] = routers.map(replica);
      return a.ledger === b.ledger && a.index === b.index && a.bookings > 0 && a.blocks > 0;
    };
    try {
      for (const number of [1, 2, 3]) {
        const worker = new ScriptedWorker({ ...await connect(), clock }, cardOf(number));
        await worker.open();
        workers.push(worker);
      }
      await until(() => replica(routers[0]).peers.length === 1, "the routers to see each other");
      await clock.sleep(200);
      await churn(100);
      await until(inStep, "the routers to be in step");
      await routers.pop()!.stop(AbortSignal.abort());
      await churn(50);
      const startMs = clock.nowMs();
      routers.push(await start());
      await until(inStep, "the router that came back");
      const tookMs = clock.nowMs() - startMs;
      assert.ok(tookMs < inStepMs, `${tookMs} ms`);
      assert.deepEqual(workers.map((worker) => worker.asked.snapshots), [0, 0, 0]);
      await churn(50);
      await until(inStep, "the routers to stay in step");
    } finally {
      for (const worker of workers) await worker.stop();
      for (const router of routers) await router.stop(AbortSignal.abort());
      for (const one of buses) await one[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
    }
  },
});
