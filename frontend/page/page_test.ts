import assert from "node:assert/strict";
import { encodeRecord, keys } from "@pixii/wire";
import type { InstanceId, InstanceRecord } from "@pixii/wire";
import { MemoryRegistryHub, recordingLog, VirtualClock } from "@pixii/runtime";
import { ScriptedApi } from "../testing/scripted_api.ts";
import { ClusterView } from "./cluster_view.ts";
import { readPageFiles } from "./page_files.ts";
import { PageRoutes } from "./page_routes.ts";

const namespace = "test";

/** A registry with these programs, and a view that asks `answers` instead of admin ports. */
async function viewOf(
  services: readonly InstanceRecord["service"][],
  answers: (url: string) => unknown,
) {
  const clock = new VirtualClock();
  const hub = new MemoryRegistryHub({ clock, log: recordingLog("test", []) });
  const registry = hub.connect();
  for (const [at, service] of services.entries()) {
    const instance = at.toString(16).padStart(16, "0") as InstanceId;
    const admin = `http://127.0.0.1:${1000 + at}`;
    const record: InstanceRecord = {
      ...{ service, instance, pid: at + 1, host: "here", admin, version: "1", status: "ready" },
    };
    const put = registry.register(
      keys(namespace).instance(service, instance),
      encodeRecord("instance", record),
    );
    await clock.advance(0);
    assert.ok((await put).ok);
  }
  const asked: string[] = [];
  const ask = (url: string): Promise<unknown> => {
    asked.push(url);
    const answer = answers(url);
    return answer === undefined ? Promise.reject(new Error("gone")) : Promise.resolve(answer);
  };
  const view = new ClusterView({ registry, clock, namespace, ask });
  return { view, asked, clock, registry };
}

Deno.test("ClusterView.read() gathers what programs say, and names those that say nothing", async () => {
  const { view, asked, clock, registry } = await viewOf(
    ["kvbm", "planner", "router", "router"],
    (url) => {
      if (url.endsWith("1000/pool")) return { off: true };
      if (url.endsWith("1002/workers")) return [{ model: "m" }];
      if (url.endsWith("1002/queue")) return [{ model: "m", requests: 2 }];
      if (url.includes("1002/v1/pixii/decisions")) return { decisions: [{ v: 1 }, "damaged"] };
      return undefined;
    },
  );
  const seen = JSON.parse(await view.read());
  assert.equal(seen.services.length, 4);
  assert.deepEqual(seen.workers, [{ model: "m" }]);
  assert.deepEqual(seen.queues, [{ model: "m", requests: 2 }]);
  assert.deepEqual(seen.decisions, [], "what is no decision is left out");
  assert.deepEqual([seen.plan, seen.history], [null, null]);
  assert.deepEqual(seen.pools[0].pool, { off: true });
  assert.equal(seen.missing.length, 2);
  assert.match(
    seen.missing.join(),
    /^router 0{15}3 did not answer at http.*,planner 0{15}1 did not/,
  );
  const count = asked.length;
  await view.read();
  assert.equal(asked.length, count, "asked again at once it says the same");
  await clock.advance(401);
  await view.read();
  assert.ok(asked.length > count, "later it looks again");
  await registry[Symbol.asyncDispose]();
});

Deno.test("ClusterView.read() shows the planner that acts, and its history with words where something was done", async () => {
  const record = {
    ...{ id: 7, model: "m", have: { both: 2 }, want: { both: 3 }, now: { rate: 2.5 } },
    ...{ expectedRate: 4, bound: "the GPU budget", candidates: [1, 2, 3] },
  };
  const lines = [
    {
      kind: "plan",
      at: "t1",
      by: "b",
      mode: "act",
      record: { ...record, moves: [] },
      words: ["no"],
    },
    {
      ...{ kind: "plan", at: "t2", by: "b", mode: "act", words: ["because"] },
      record: { ...record, id: 8, moves: [{ kind: "start" }] },
    },
    { kind: "flip", at: "t3", model: "m", words: ["is prefill now"] },
  ];
  const { view, registry } = await viewOf(["planner", "planner"], (url) => {
    if (url.endsWith("1000/plan")) return { leads: false };
    if (url.endsWith("1001/plan")) return { leads: true, models: {} };
    return url.includes("1001/plan/history?words=1&last=") ? { lines } : { lines: [] };
  });
  const { plan, history } = JSON.parse(await view.read());
  assert.equal(plan.leads, true);
  const facts = { by: "b", mode: "act", model: "m", have: { both: 2 }, want: { both: 3 } };
  assert.deepEqual(history.lines, [
    { kind: "plan", at: "t1", ...facts, id: 7, rate: 2.5, expected: 4 },
    {
      ...{ kind: "plan", at: "t2", ...facts, id: 8, rate: 2.5, expected: 4 },
      ...{ words: ["because"], title: "decision 8: start" },
    },
    { kind: "flip", at: "t3", model: "m", words: ["is prefill now"], title: "is prefill now" },
  ]);
  await registry[Symbol.asyncDispose]();
});

Deno.test("the page is there where it is on: files, cluster and words, and nothing else changes", async () => {
  const { view, registry } = await viewOf(
    ["router"],
    (url) =>
      url.endsWith("/v1/pixii/explain/a%2Fb") ? { decisions: [{ lines: ["because"] }] } : undefined,
  );
  {
    await using api = await ScriptedApi.open({ page: new PageRoutes(await readPageFiles(), view) });
    const get = (path: string, method = "GET") => fetch(api.url + path, { method });
    const page = await get("/");
    const html = await page.text();
    assert.equal(page.status, 200);
    assert.match(
      page.headers.get("content-security-policy")!,
      /default-src 'self'.*frame-ancestors 'none'/,
    );
    for (const [, path] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const file = await get(path);
      const text = await file.text();
      assert.equal(file.status, 200, path);
      for (const [, other] of text.matchAll(/from "([^"]+)"/g)) {
        const imported = await fetch(new URL(other, `${api.url}${path}`));
        assert.match(imported.headers.get("content-type")!, /javascript/);
        await imported.body?.cancel();
      }
    }
    const cluster = await (await get("/v1/pixii/cluster")).json();
    assert.equal(cluster.namespace, namespace);
    assert.deepEqual(await (await get("/v1/pixii/explain/a%2Fb")).json(), {
      decisions: [{ lines: ["because"] }],
    });
    const unknown = await get("/v1/pixii/explain/%zz");
    assert.equal(unknown.status, 404);
    assert.match((await unknown.json()).error.message, /No router has a decision of request %zz/);
    const posted = await get("/", "POST");
    assert.equal(posted.status, 405);
    await posted.body?.cancel();
  }
  await using plain = await ScriptedApi.open();
  for (const path of ["/", "/page/page.js", "/v1/pixii/cluster", "/v1/pixii/explain/x"]) {
    const answer = await fetch(plain.url + path);
    assert.equal(answer.status, 404, path);
    assert.equal((await answer.json()).error.code, "route_not_found");
  }
  await registry[Symbol.asyncDispose]();
});
