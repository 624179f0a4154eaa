import { modelHashOf, ok } from "@pixii/wire";
import type { InstanceId, Result, Role } from "@pixii/wire";
import { openLog, systemClock } from "@pixii/runtime";
import type { ActOrder } from "../actuators/actuator.ts";
import { countsAfter } from "../actuators/actuator.ts";
import { KubeClient } from "../actuators/kube_client.ts";
import { readKubeTarget } from "../actuators/kube_target.ts";
import { KubernetesScale } from "../actuators/kubernetes.ts";
import type { Counts } from "../core/capacity/need.ts";
import type { PlanMove } from "../core/plan_record.ts";

/** The namespace that the scenario plays in. */
export const scenarioNamespace = "pixii-test";

/** Pods of the scenario by the worker in them; the last one is gone in Kubernetes. */
export const scenarioPods: ReadonlyMap<string, string> = new Map([
  [worker(1), "worker-7d9f8b6c5-abcde"],
  [worker(2), "worker-7d9f8b6c5-fghij"],
  [worker(3), "prefill-0"],
  [worker(4), "decode-0"],
  [worker(5), "decode-1"],
  [worker(6), "graph-0-vllmdecodeworker-x7k2p"],
  [worker(9), "worker-7d9f8b6c5-zzzzz"],
]);

/** What the scenario is played against. */
export interface ScenarioAccess {
  readonly url: string;
  /** Folder of the service account. */
  readonly account: string;
  /** The same with a token that nobody gave. */
  readonly strangerAccount: string;
}

/** One step: what is asked for, and what Kubernetes made of it. */
export interface ScenarioStep {
  readonly name: string;
  readonly result: Result<void>;
}

/** Plays every kind of call of the actuator, refusals among them, one after another. */
export async function playScenario(access: ScenarioAccess): Promise<readonly ScenarioStep[]> {
  const steps: ScenarioStep[] = [];
  const pods = {
    of: (instance: string) => scenarioPods.get(instance),
    all: () => [...scenarioPods.values()],
    [Symbol.dispose]: () => {},
  };
  const play = async (
    name: string,
    targets: readonly string[],
    order: Pick<ActOrder, "have" | "moves">,
    more: { readonly account?: string; readonly namespace?: string } = {},
  ) => {
    const client = new KubeClient({
      ...{ url: access.url, account: more.account ?? access.account, clock: systemClock() },
      namespace: more.namespace ?? scenarioNamespace,
    });
    await using scale = new KubernetesScale({
      ...{ client, pods, targets: targets.map(readKubeTarget), log: openLog(["planner"]) },
      note: { apply: () => Promise.resolve(ok(undefined)) },
    });
    const model = { name: "m", hash: modelHashOf("m") };
    const after = countsAfter(order.have, order.moves);
    steps.push({
      name,
      result: await scale.apply({ id: name, by: worker(0), why: "a test", model, after, ...order }),
    });
  };
  const one = ["m=deployments/worker"];
  await play("start one", one, { have: both(2), moves: [start("both")] });
  await play("start one, asked again", one, { have: both(2), moves: [start("both")] });
  await play("stop one, by name", one, { have: both(3), moves: [stop(2, "both")] });
  await play("stop one that is gone", one, { have: both(2), moves: [stop(9, "both")] });
  const roles = ["m:prefill=statefulsets/prefill", "m:decode=statefulsets/decode"];
  const flipped = { prefill: 2, decode: 1, both: 0 };
  await play("start for a role after a flip", roles, { have: flipped, moves: [start("prefill")] });
  await play("and again", roles, { have: flipped, moves: [start("prefill")] });
  const graph = ["m=dynamographdeployments/graph/VllmDecodeWorker"];
  await play("start in a graph", graph, { have: both(1), moves: [start("both")] });
  await play("nothing of that name", ["m=deployments/none"], {
    have: both(1),
    moves: [start("both")],
  });
  await play("another namespace", one, { have: both(1), moves: [start("both")] }, {
    namespace: "default",
  });
  await play("a stranger", one, { have: both(1), moves: [start("both")] }, {
    account: access.strangerAccount,
  });
  return steps;
}

function worker(number: number): InstanceId {
  return number.toString(16).padStart(16, "0") as InstanceId;
}

function both(count: number): Counts {
  return { prefill: 0, decode: 0, both: count };
}

function start(role: Role): PlanMove {
  return { kind: "start", model: "m", role, reason: "a test" };
}

function stop(number: number, role: Role): PlanMove {
  const rank = { instance: worker(number), dpRank: 0 };
  return { kind: "stop", model: "m", rank, role, reason: "a test" };
}
