import type { Role } from "@pixii/wire";

/** What of Kubernetes runs a model's workers, all or those that start with one role. */
export interface KubeTarget {
  readonly model: string;
  readonly role: Role | undefined;
  readonly kind: "deployments" | "statefulsets" | "dynamographdeployments";
  readonly name: string;
  /** Of a graph deployment. */
  readonly service: string | undefined;
}

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

/** Path and body of the call that sets the replicas; the object itself comes back, or its scale. */
export function scaleCall(
  { kind, name, service }: KubeTarget,
  namespace: string,
  replicas: number,
): readonly [path: string, body: unknown] {
  const path = scalePath({ kind, name, service }, namespace);
  return service === undefined
    ? [path, { spec: { replicas } }]
    : [path, { spec: { services: { [service]: { replicas } } } }];
}

/** Path of what says and takes the replicas. */
export function scalePath(
  { kind, name }: Pick<KubeTarget, "kind" | "name" | "service">,
  namespace: string,
): string {
  return kind === "dynamographdeployments"
    ? `/apis/nvidia.com/v1alpha1/namespaces/${namespace}/${kind}/${name}`
    : `/apis/apps/v1/namespaces/${namespace}/${kind}/${name}/scale`;
}

/** Replicas that an answer of that path says are wanted; undefined where it says nothing of the kind. */
export function replicasIn(answer: unknown, { service }: KubeTarget): number | undefined {
  const { spec } = answer as { readonly spec?: Record<string, unknown> };
  const services = spec?.services as Record<string, Record<string, unknown>> | undefined;
  const replicas = service === undefined ? spec?.replicas : services?.[service]?.replicas;
  return typeof replicas === "number" ? replicas : undefined;
}

/**
 * Which of the targets a pod is of: pods have the names of what made them in front. Of several the longest name; of a graph
 * deployment the service must be named as well.
 */
export function targetOfPod(
  pod: string,
  targets: readonly KubeTarget[],
): KubeTarget | undefined {
  const made = targets.filter(({ name, service }) =>
    pod.startsWith(`${name}-`) &&
    (service === undefined || pod.slice(name.length).includes(`-${service.toLowerCase()}-`))
  );
  const length = ({ name, service = "" }: KubeTarget) => name.length + service.length;
  return made.toSorted((a, b) => length(b) - length(a))[0];
}
