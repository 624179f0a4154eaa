import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { ServiceContext } from "@pixii/runtime";
import type { PlannerConfig } from "../config.ts";
import type { Actuator } from "./actuator.ts";
import { KubeClient } from "./kube_client.ts";
import { readKubeTarget } from "./kube_target.ts";
import { KubernetesScale } from "./kubernetes.ts";
import { LauncherScale } from "./launcher.ts";
import { PodNames } from "./pod_names.ts";
import { RoleKeys } from "./role_keys.ts";
import { VirtualActuator } from "./virtual.ts";

/** What carries moves out, as the options say; together they make every kind of move that the rules allow. */
export function openActuators(
  config: PlannerConfig,
  context: ServiceContext,
): Result<readonly Actuator[]> {
  if (config.mode === "watch") return ok([]);
  const { registry, namespace, clock, log } = context;
  const flips = new RoleKeys({ registry, namespace, boundMs: config["flip-timeout"] });
  if (config.scale === "off") return ok([flips]);
  if (config.scale === "virtual") return ok([flips, new VirtualActuator(["start", "stop"])]);
  const records = new LauncherScale({ registry, namespace });
  if (config.scale === "launcher") return ok([flips, records]);
  const targets = config["kube.target"].map(readKubeTarget);
  if (targets.length === 0) {
    return fail(
      "invalid_request",
      "Cannot scale by Kubernetes: --kube-target MODEL=deployments/NAME is missing",
    );
  }
  const pods = new PodNames({ registry, namespace, log });
  const client = new KubeClient({
    ...{ url: config["kube.url"], account: config["kube.account"], clock },
    namespace: config["kube.namespace"],
  });
  return ok([flips, new KubernetesScale({ client, targets, pods, log, note: records })]);
}
