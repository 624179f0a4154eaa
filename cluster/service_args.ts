import { readDiskPlan } from "@pixii/kvbm";
import type { Role, ServiceName } from "@pixii/wire";
import { isLoopback } from "./address.ts";
import type { DevPlan, ModelPlan } from "./dev_config.ts";
import { plannerFiles, routerFiles } from "./program_files.ts";

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
  /** What it begins as, for a worker. */
  readonly role?: Role;
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
    Array.from({ length: model.plan.workers }, (_, at) => {
      const role = roleOf(model.plan, at);
      return workerProgram(model, { number: at + 1, role, kvSocket, passed: passed.worker });
    })
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
    {
      service: "planner",
      label: "planner",
      args: plannerArgs(plan),
      ...plannerFiles(passed.planner),
    },
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

/** One worker of a model; `number` tells it from the model's others. */
export function workerProgram(
  model: PlacedModel,
  { number, role, kvSocket, passed }: {
    readonly number: number;
    readonly role: Role;
    readonly kvSocket: string;
    /** Flags for all workers. */
    readonly passed: readonly string[];
  },
): Program {
  return {
    service: "worker",
    label: `worker/${model.plan.servedName}-${number}`,
    args: [...workerArgs(model), "--role", role, ...passed],
    ...{ model: model.plan.servedName, role },
    read: [model.path],
    write: [kvSocket],
  };
}

/** A planner that acts has its scaling followed by this launcher, whose workers start in seconds. */
function plannerArgs({ config, passed }: DevPlan): readonly string[] {
  const acting = ["--mode", "act", "--scale", "launcher", "--start-time", "5s"];
  return [...(config.planner === "act" ? acting : []), ...passed.planner];
}

/** Flags that every service has. */
export function wiringArgs(wiring: Wiring, instance: string): readonly string[] {
  return [
    ...["--nats", wiring.nats, "--etcd", wiring.etcd, "--namespace", wiring.namespace],
    ...["--log", wiring.log, "--admin-port", "0", "--instance", instance],
  ];
}

/** Role of a model's worker `at`, from 0: those that compute prompts come first. */
function roleOf({ prefill, decode }: ModelPlan, at: number): Role {
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
