import { fail, ok } from "@pixii/wire";
import type { Result, Role } from "@pixii/wire";
import type { Log } from "@pixii/runtime";
import { workersAfter } from "./actuator.ts";
import type { ActOrder, Actuator } from "./actuator.ts";
import type { KubeClient } from "./kube_client.ts";

/** What of Kubernetes runs a model's workers, all or those of one role. */
export interface KubeTarget {
  readonly model: string;
  readonly role: Role | undefined;
  readonly kind: "deployments" | "statefulsets" | "dynamographdeployments";
  readonly name: string;
  /** Of a graph deployment. */
  readonly service: string | undefined;
}

/** Cost of a pod that goes first, where Kubernetes chooses among the pods of a Deployment. */
const firstToGo = { "controller.kubernetes.io/pod-deletion-cost": "-1000" };

/** Reads `MODEL[:ROLE]=KIND/NAME[/SERVICE]`; its pattern has been checked. */
export function readKubeTarget(text: string): KubeTarget {
  const at = text.lastIndexOf("=");
  const [kind, name, service] = text.slice(at + 1).split("/");
  const [, model, role] = /^(.*?)(?::(prefill|decode|both))?$/.exec(text.slice(0, at))!;
  return {
    ...{ model, name, service },
    role: role as Role | undefined,
    kind: kind as KubeTarget["kind"],
  };
}

/**
 * Scales Deployments and StatefulSets by their scale sub-resource, and graph deployments by their own. The number of
 * replicas is set, never raised, so asking twice is as asking once.
 */
export class KubernetesScale implements Actuator {
  readonly name = "kubernetes";
  readonly kinds = ["start", "stop"] as const;
  readonly #client: KubeClient;
  readonly #targets: readonly KubeTarget[];
  readonly #podOf: (instance: string) => string | undefined;
  readonly #log: Log;

  constructor(
    options: {
      readonly client: KubeClient;
      readonly targets: readonly KubeTarget[];
      /** Name of the pod in which an instance runs: its host name. */
      readonly podOf: (instance: string) => string | undefined;
      readonly log: Log;
    },
  ) {
    this.#client = options.client;
    this.#targets = options.targets;
    this.#podOf = options.podOf;
    this.#log = options.log;
  }

  async apply(order: ActOrder): Promise<Result<void>> {
    const { model, moves } = order;
    const mine = this.#targets.filter((target) => target.model === model.name);
    if (mine.length === 0) {
      return fail(
        "not_found",
        `Cannot scale ${model.name}: no --kube-target names it; add --kube-target ${model.name}=deployments/NAME`,
      );
    }
    const namespace = await this.#client.namespace();
    if (!namespace.ok) return namespace;
    for (const move of moves) {
      if (move.kind === "stop") await this.#offer(namespace.value, move.rank.instance);
    }
    for (const target of mine) {
      const replicas = target.role === undefined
        ? workersAfter(order)
        : roleAfter(order, target.role);
      const set = await this.#client.patch(...patchOf(target, namespace.value, replicas));
      if (!set.ok) return set;
    }
    return ok(undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    return Promise.resolve();
  }

  /** Says which pod is to go; where that fails, Kubernetes chooses. */
  async #offer(namespace: string, instance: string): Promise<void> {
    const pod = this.#podOf(instance);
    if (pod === undefined) return;
    const path = `/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(pod)}`;
    const said = await this.#client.patch(path, { metadata: { annotations: firstToGo } });
    if (!said.ok) this.#log.warn("cannot say which pod is to go", { reason: said.error.message });
  }
}

function roleAfter({ have, moves }: ActOrder, role: Role): number {
  const of = (kind: "start" | "stop") =>
    moves.filter((move) => move.kind === kind && move.role === role).length;
  return Math.max(0, have[role] + of("start") - of("stop"));
}

/** Path and body of the call that sets the replicas. */
function patchOf(
  { kind, name, service }: KubeTarget,
  namespace: string,
  replicas: number,
): [string, unknown] {
  if (kind === "dynamographdeployments") {
    const path = `/apis/nvidia.com/v1alpha1/namespaces/${namespace}/${kind}/${name}`;
    return [path, { spec: { services: { [service!]: { replicas } } } }];
  }
  return [`/apis/apps/v1/namespaces/${namespace}/${kind}/${name}/scale`, { spec: { replicas } }];
}
