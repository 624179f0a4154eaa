import { readDiskPlan } from "@pixii/kvbm";
import type { ServiceName } from "@pixii/wire";
import { isLoopback } from "./address.ts";
import type { DevPlan, ModelPlan } from "./dev_config.ts";
import { routerFiles } from "./router_files.ts";

/** What every service of one cluster is told. */
export interface Wiring {
  readonly nats: string;
  readonly etcd: string;
  readonly namespace: string;
  /** Log filter. */
  readonly log: string;
}

/** One program of a cluster: what it is and how it is started. */
export interface Program {
  readonly service: ServiceName;
  /** Before its log lines, and in messages: `worker/smollm2-1`. */
  readonly label: string;
  /** Its own flags, without those of the wiring. */
  readonly args: readonly string[];
  /** Served name, for a worker. */
  readonly model?: string;
  /** Files it reads. */
  readonly read?: readonly string[];
  /** Files it writes, and sockets it uses. */
  readonly write?: readonly string[];
  /** Hosts it talks to besides the servers. */
  readonly hosts?: readonly string[];
}

/** A model with its file. */
export interface PlacedModel {
  readonly plan: ModelPlan;
  readonly path: string;
  readonly digest: string;
}

/** The programs of a cluster in the order in which they are started. */
export function programsOf(
  plan: DevPlan,
  models: readonly PlacedModel[],
  { port, kvSocket }: { readonly port: number; readonly kvSocket: string },
): readonly Program[] {
  const { config, passed } = plan;
  // The page shows what admin ports show, which only this machine reaches.
  const hasPage = isLoopback(config.host);
  const pool = config["kv.pool"] === "" ? [] : ["--kv-pool", config["kv.pool"]];
  const disk = config["kv.disk"] === "" ? [] : ["--kv-disk", config["kv.disk"]];
  const diskFolder = readDiskPlan(config["kv.disk"])?.folder;
  const workers = models.flatMap((model) =>
    Array.from({ length: model.plan.workers }, (_, at): Program => ({
      service: "worker",
      label: `worker/${model.plan.servedName}-${at + 1}`,
      args: [...workerArgs(model), "--role", roleOf(model.plan, at), ...passed.worker],
      model: model.plan.servedName,
      read: [model.path],
      write: [kvSocket],
    }))
  );
  return [
    // Workers load their model while the others start.
    ...workers,
    {
      service: "kvbm",
      label: "kvbm",
      args: [
        ...["--kv-host", String(config["kv.host"]), "--kv-socket", kvSocket, ...pool],
        ...[...disk, ...passed.kvbm],
      ],
      write: [kvSocket, ...(diskFolder === undefined ? [] : [diskFolder])],
    },
    {
      service: "router",
      label: "router",
      args: ["--policy", config.router, ...passed.router],
      read: routerFiles(passed.router),
      write: routerFiles(passed.router),
    },
    { service: "planner", label: "planner", args: passed.planner },
    {
      service: "frontend",
      label: "frontend",
      args: [
        ...["--host", config.host, "--port", String(port)],
        ...(hasPage ? ["--page"] : []),
        ...passed.frontend,
      ],
      hosts: hasPage ? ["127.0.0.1"] : [],
    },
  ];
}

/** Flags that every service has. */
export function wiringArgs(wiring: Wiring, instance: string): readonly string[] {
  return [
    ...["--nats", wiring.nats, "--etcd", wiring.etcd, "--namespace", wiring.namespace],
    ...["--log", wiring.log, "--admin-port", "0", "--instance", instance],
  ];
}

/** Role of a model's worker `at`, from 0: those that compute prompts come first. */
function roleOf({ prefill, decode }: ModelPlan, at: number): string {
  if (prefill + decode === 0) return "both";
  return at < prefill ? "prefill" : "decode";
}

function workerArgs({ plan, path }: PlacedModel): readonly string[] {
  const speed = plan.simSpeed === Infinity ? "inf" : String(plan.simSpeed);
  return [
    ...["--engine", plan.engine, ...(plan.engine === "sim" ? ["--sim-speed", speed] : [])],
    ...["--model", path, "--served-name", plan.servedName, "--max-seqs", String(plan.maxSeqs)],
    ...["--threads", String(plan.threads), "--ctx", String(plan.ctx)],
    ...(plan.kvType === "f16" ? [] : ["--kv-type", plan.kvType]),
  ];
}
