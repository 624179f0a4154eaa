import assert from "node:assert/strict";
import { openLog, systemClock } from "@pixii/runtime";
import recording from "./testdata/kubernetes.json" with { type: "json" };
import { playScenario, scenarioNamespace } from "../testing/kube_scenario.ts";
import { FakeKube } from "../testing/fake_kube.ts";
import { orderOf, sampleMoves } from "../testing/actuator_contract.ts";
import { RecordedApi } from "../testing/recorded_api.ts";
import type { ActOrder } from "./actuator.ts";
import { KubeClient } from "./kube_client.ts";
import { readKubeTarget, targetOfPod } from "./kube_target.ts";
import { KubernetesScale } from "./kubernetes.ts";

async function accountOf(token: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/token`, `${token}\n`);
  await Deno.writeTextFile(`${folder}/namespace`, scenarioNamespace);
  return folder;
}

Deno.test("KubernetesScale speaks to a real API server: calls and answers are as recorded of one", async () => {
  const token = "a-secret-token";
  await using api = new RecordedApi(recording.calls, token);
  const [account, strangerAccount] = [await accountOf(token), await accountOf("nobody")];
  const steps = await playScenario({ url: api.url, account, strangerAccount });
  for (const folder of [account, strangerAccount]) await Deno.remove(folder, { recursive: true });
  assert.deepEqual(api.wrong, []);
  const said = steps.map(({ name, result }) =>
    `${name}: ${result.ok ? "done" : `${result.error.code}, ${result.error.message}`}`
  );
  assert.deepEqual(said.slice(0, 7), [
    "start one: done",
    "start one, asked again: done",
    "stop one, by name: done",
    "stop one that is gone: done",
    "start for a role after a flip: done",
    "and again: done",
    "start in a graph: done",
  ]);
  assert.match(said[7], /: not_found, .*404 deployments.apps "none" not found; --kube-target/);
  assert.match(said[8], /: unauthorized, .*403 .* cannot patch .*planner-role.yaml/);
  assert.match(said[9], /: unauthorized, .*401 Unauthorized; is the token in --kube-account/);
  assert.ok(said.every((one) => !one.includes(token)), "no secret in a message");
});

/** The actuator over a server that knows two Deployments, one per role. */
async function world(pods: ReadonlyMap<string, string>, targets: readonly string[]) {
  const kube = await FakeKube.open({ p: 2, d: 2 });
  const { url, account } = kube;
  const noted: ActOrder[] = [];
  const actuator = new KubernetesScale({
    client: new KubeClient({ url, account, namespace: "", clock: systemClock() }),
    targets: targets.map(readKubeTarget),
    pods: {
      of: (instance) => pods.get(instance),
      all: () => [...pods.values()],
      [Symbol.dispose]: () => {},
    },
    log: openLog(["test"]),
    note: {
      apply: (order) => {
        noted.push(order);
        return Promise.resolve({ ok: true, value: undefined });
      },
    },
  });
  return { kube, actuator, noted, [Symbol.asyncDispose]: () => kube[Symbol.asyncDispose]() };
}

const roleTargets = ["m:prefill=deployments/p", "m:decode=deployments/d"];

Deno.test("a worker that changed its role counts where its pod is, and one on its way where it was asked for", async () => {
  const pods = new Map(["p-1-a", "p-1-b", "d-1-a", "d-1-b"].map((pod, i) => [`${i}`, pod]));
  await using all = await world(pods, roleTargets);
  const { kube, actuator } = all;
  // One of d's pods computes prompts now: three and one.
  const have = { prefill: 3, decode: 1, both: 0 };
  await actuator.apply({ ...orderOf("a", [sampleMoves.start]), have });
  assert.deepEqual(kube.wanted, { p: 2, d: 3 });
  // The one that was asked for is on its way; another one comes on top.
  await actuator.apply({ ...orderOf("b", [sampleMoves.start]), have: { ...have, decode: 2 } });
  assert.deepEqual(kube.wanted, { p: 2, d: 4 });
  // It never came and is not counted any more.
  await actuator.apply({ ...orderOf("c", [sampleMoves.start]), have });
  assert.deepEqual(kube.wanted, { p: 2, d: 3 });
});

Deno.test("a stop takes a replica from where the worker's pod is", async () => {
  const stopped = sampleMoves.stop.kind === "stop" ? sampleMoves.stop.rank.instance : "";
  const pods = new Map([["x", "p-1-a"], [stopped, "p-1-b"], ["y", "d-1-a"], ["z", "d-1-b"]]);
  await using all = await world(pods, roleTargets);
  await all.actuator.apply({
    ...orderOf("a", [sampleMoves.stop]),
    have: { prefill: 1, decode: 3, both: 0 },
  });
  assert.deepEqual(all.kube.wanted, {
    "p-1-b": { "controller.kubernetes.io/pod-deletion-cost": "-1000" },
    ...{ p: 1, d: 2 },
  });
  assert.equal(all.noted.length, 1);
});

Deno.test("targets that cannot be followed are refused in words that say what to add, and nothing is noted", async () => {
  const refusal = async (targets: readonly string[]) => {
    await using all = await world(new Map(), targets);
    const done = await all.actuator.apply(orderOf("a", [sampleMoves.start]));
    assert.deepEqual([all.kube.wanted, all.noted], [{ p: 2, d: 2 }, []]);
    return done.ok ? "" : done.error.message;
  };
  assert.match(await refusal(["x=deployments/p"]), /add --kube-target m=deployments\/NAME/);
  assert.match(
    await refusal(["m:prefill=deployments/p"]),
    /add --kube-target m:decode=deployments\/NAME/,
  );
  assert.match(await refusal(["m=deployments/p", "m=deployments/d"]), /several --kube-target/);
  assert.match(
    await refusal(["m=deployments/p", "m:decode=deployments/d"]),
    /one for the model, or one for each role/,
  );
});

Deno.test("KubeClient says why no server answers, and which file of the account is missing", async () => {
  const account = await accountOf("a-token");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const nobody = `127.0.0.1:${listener.addr.port}`;
  listener.close();
  const ask = async (url: string) => {
    using client = new KubeClient({ url, account, namespace: "", clock: systemClock() });
    const answer = await client.get("/x");
    return answer.ok ? "" : answer.error.message;
  };
  assert.match(await ask(`http://${nobody}`), /refused.*is --kube-url http:.*right\?$/);
  assert.match(await ask(`https://${nobody}`), /ca.crt: it is not there; .*--kube-account/);
  await Deno.writeTextFile(`${account}/token`, "\n");
  assert.match(await ask(`http://${nobody}`), /token: it is empty; .*--kube-account/);
  await Deno.remove(account, { recursive: true });
  assert.match(await ask(`http://${nobody}`), /token: it is not there; .*--kube-account/);
});

Deno.test("targetOfPod() takes the longest name that made a pod", () => {
  const targets = ["m=deployments/a", "m=statefulsets/a-b", "m=dynamographdeployments/g/VllmWorker"]
    .map(readKubeTarget);
  const of = (pod: string) => targetOfPod(pod, targets)?.name;
  assert.deepEqual(["a-1-x", "a-b-0", "g-0-vllmworker-k2", "g-0-frontend-k2", "c-1"].map(of), [
    ...["a", "a-b", "g", undefined, undefined],
  ]);
});
