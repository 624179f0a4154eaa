import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Log } from "@pixii/runtime";
import { sizeOf } from "../core/capacity/need.ts";
import { workersAfter } from "./actuator.ts";
import type { ActOrder, Actuator } from "./actuator.ts";
import type { KubeClient } from "./kube_client.ts";
import { replicasIn, scaleCall, scalePath, targetOfPod } from "./kube_target.ts";
import type { KubeTarget } from "./kube_target.ts";
import type { PodNames } from "./pod_names.ts";

/** Cost of a pod that goes first, where Kubernetes chooses among the pods of a Deployment. */
const firstToGo = { "controller.kubernetes.io/pod-deletion-cost": "-1000" };

/** What the actuator works with. */
export interface KubernetesParts {
  readonly client: KubeClient;
  readonly targets: readonly KubeTarget[];
  readonly pods: Pick<PodNames, "of" | "all"> & Disposable;
  readonly log: Log;
  /** Keeps what was asked for, once Kubernetes has taken it: workers on their way are counted by it. */
  readonly note: Pick<Actuator, "apply">;
}

/**
 * Scales Deployments and StatefulSets by their scale sub-resource, and graph deployments by their own. The number of
 * replicas is set, never raised, so asking twice is as asking once. Where a model has a target per role, a worker that has
 * changed its role since still counts where its pod is.
 */
export class KubernetesScale implements Actuator {
  readonly name = "kubernetes";
  readonly kinds = ["start", "stop"] as const;
  readonly #parts: KubernetesParts;

  constructor(parts: KubernetesParts) {
    this.#parts = parts;
  }

  async apply(order: ActOrder): Promise<Result<void>> {
    const { model, moves } = order;
    const { client, targets } = this.#parts;
    const mine = targets.filter((target) => target.model === model.name);
    const lacking = lackOf(mine, order);
    if (lacking !== undefined) return fail("not_found", lacking);
    const namespace = await client.namespace();
    if (!namespace.ok) return namespace;
    const replicas = await this.#replicas(mine, namespace.value, order);
    if (!replicas.ok) return replicas;
    for (const move of moves) {
      if (move.kind === "stop") await this.#offer(namespace.value, move.rank.instance);
    }
    for (const [target, count] of replicas.value) {
      const [path, body] = scaleCall(target, namespace.value, count);
      const set = await client.patch(path, body);
      if (!set.ok) return set;
    }
    return await this.#parts.note.apply(order);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#parts.client[Symbol.dispose]();
    this.#parts.pods[Symbol.dispose]();
    return Promise.resolve();
  }

  /** Replicas that each target is to have. */
  async #replicas(
    mine: readonly KubeTarget[],
    namespace: string,
    order: ActOrder,
  ): Promise<Result<ReadonlyMap<KubeTarget, number>>> {
    const [first] = mine;
    if (mine.length === 1 && first.role === undefined) {
      return ok(new Map([[first, workersAfter(order)]]));
    }
    const { client, pods } = this.#parts;
    const there = mine.map((target) =>
      pods.all().filter((pod) => targetOfPod(pod, mine) === target).length
    );
    // Of those that were asked for and are not there yet: the roles of workers that are there may have changed since.
    let coming = Math.max(0, sizeOf(order.have) - there.reduce((sum, count) => sum + count, 0));
    const counts = new Map<KubeTarget, number>();
    for (const [at, target] of mine.entries()) {
      const answer = await client.get(scalePath(target, namespace));
      if (!answer.ok) return answer;
      const wanted = replicasIn(answer.value, target);
      if (wanted === undefined) {
        return fail(
          "not_found",
          `Cannot scale ${target.name}: Kubernetes names no replicas of ${target.service ?? "it"}`,
        );
      }
      const onTheWay = Math.min(coming, Math.max(0, wanted - there[at]));
      coming -= onTheWay;
      const change = this.#changeOf(target, mine, order);
      counts.set(target, Math.max(0, there[at] + onTheWay + change));
    }
    return ok(counts);
  }

  /** Workers more, or fewer, of a target after the moves. */
  #changeOf(target: KubeTarget, mine: readonly KubeTarget[], { moves }: ActOrder): number {
    let change = 0;
    for (const move of moves) {
      if (move.kind === "start" && move.role === target.role) change += 1;
      if (move.kind !== "stop") continue;
      const pod = this.#parts.pods.of(move.rank.instance);
      const of = pod === undefined ? undefined : targetOfPod(pod, mine);
      const isHere = of === undefined ? move.role === target.role : of === target;
      if (isHere) change -= 1;
    }
    return change;
  }

  /** Says which pod is to go; where that fails, Kubernetes chooses. */
  async #offer(namespace: string, instance: string): Promise<void> {
    const { client, pods, log } = this.#parts;
    const pod = pods.of(instance);
    if (pod === undefined) return;
    const path = `/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(pod)}`;
    const said = await client.patch(path, { metadata: { annotations: firstToGo } });
    if (!said.ok) log.warn("cannot say which pod is to go", { reason: said.error.message });
  }
}

/** Why the targets cannot follow an order, in words that say what to do. */
function lackOf(mine: readonly KubeTarget[], { model, moves }: ActOrder): string | undefined {
  if (mine.length === 0) {
    return `Cannot scale ${model.name}: no --kube-target names it; add --kube-target ${model.name}=deployments/NAME`;
  }
  const roles = new Set(mine.map(({ role }) => role));
  if (roles.size < mine.length || (mine.length > 1 && roles.has(undefined))) {
    return `Cannot scale ${model.name}: several --kube-target name the same workers; give one for the model, or one for each role`;
  }
  if (roles.has(undefined)) return undefined;
  const start = moves.find((move) => move.kind === "start" && !roles.has(move.role));
  return start?.kind !== "start"
    ? undefined
    : `Cannot start a ${start.role} worker of ${model.name}: no --kube-target names that role; add --kube-target ${model.name}:${start.role}=deployments/NAME`;
}
