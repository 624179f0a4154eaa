import { type Chance, type Clock, findServer, type Log, StartError, version } from "@pixii/runtime";
import { defaultPoolFolder, sweepPools } from "@pixii/kvbm";
import { hexOfBytes } from "@pixii/wire";
import { freePort, hostAndPort, isLoopback, urlOf } from "./address.ts";
import { readyLines, startLines } from "./announce.ts";
import { chooseModels, type ChosenModel } from "./choose_models.ts";
import type { Cluster, ClusterOptions } from "./cluster.ts";
import type { DevPlan } from "./dev_config.ts";
import type { Env } from "./models/cache_folder.ts";
import type { Progress } from "./models/progress.ts";
import { startOne } from "./one_process.ts";
import { startProcesses } from "./processes.ts";
import { untilReady } from "./readiness.ts";
import { type ReadyFacts, ReadyFile, type ReadyProcess } from "./ready_file.ts";
import { RunFolder, sweepRunFolders } from "./run_folder.ts";
import { ScaleFollower } from "./scale_follower.ts";
import { programsOf, workerProgram } from "./service_args.ts";

import { aborted, type StopSignals } from "./stop_signals.ts";
import { chooseTopology, reachServer, type TopologyChoice } from "./topology.ts";

import { startWarden } from "./warden.ts";

/** What a launcher touches of the world. */
export interface LaunchIo {
  readonly env: Env;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly progress: Progress;
  readonly stop: StopSignals;
  /** A line for people, to stdout. */
  readonly say: (line: string) => void;
  /** A log line of a program, to stderr. */
  readonly line: (text: string) => void;
  /** Where run folders are made. */
  readonly temporaryFolder: string;
}

/** Runs a cluster until it is told to stop. Answers the exit code; throws `StartError` where it cannot start. */
export async function launch(plan: DevPlan, io: LaunchIo): Promise<number> {
  const { config } = plan;
  const readyFile = config["ready-file"] === "" ? undefined : new ReadyFile(config["ready-file"]);
  await readyFile?.clear();
  const swept = await sweepRunFolders(io.temporaryFolder, io.clock, io.log);
  if (swept > 0) io.say(`removed what ${swept} killed launcher${swept > 1 ? "s" : ""} left behind`);
  const port = freePort(config.host, config.port);
  if (!port.ok) throw new StartError(port.error.message, 1);
  const choice = await topologyOf(plan, io);
  const models = await modelsOf(plan, io);
  if (models === undefined) return 0;
  const lines = models.map((model) => model.line);
  for (const line of startLines({ version, models: lines, ...choice })) io.say(line);
  await using runFolder = await RunFolder.open(io.temporaryFolder);
  const poolFolder = config["kv.pool"] || defaultPoolFolder();
  await using _warden = startWarden(runFolder.path, poolFolder);
  const listen = hostAndPort(config.host, port.value);
  const kvSocket = `${runFolder.path}/kvbm.sock`;
  const options: ClusterOptions = {
    ...io,
    plan,
    programs: programsOf(plan, models, { port: port.value, kvSocket }),
    namespace: config.namespace || namespaceOf(io.chance),
    logFilter: config.log || "warn",
    listen,
    runFolder,
    signal: io.stop.asked,
  };
  const start = choice.topology === "one" ? startOne : startProcesses;
  const cluster = await start(options);
  const url = urlOf(config.host, port.value);
  try {
    const page = isLoopback(config.host);
    const scene = { ...options, kvSocket, models, url, page, readyFile, io };
    await serveUntilStopped(cluster, choice, scene);
  } finally {
    await readyFile?.clear();
    if (io.stop.asked.aborted) io.say("stopping");
    await cluster.stop(io.stop.asked.aborted ? io.stop.hurry : AbortSignal.abort());
    // What a kvbm left that had to be killed.
    sweepPools(poolFolder, io.log);
  }
  return 0;
}

interface Scene {
  readonly plan: DevPlan;
  readonly namespace: string;
  readonly kvSocket: string;
  readonly models: readonly ChosenModel[];
  readonly url: string;
  /** Whether the frontend shows its page. */
  readonly page: boolean;
  readonly readyFile: ReadyFile | undefined;
  readonly io: LaunchIo;
}

async function serveUntilStopped(
  cluster: Cluster,
  choice: TopologyChoice,
  scene: Scene,
): Promise<void> {
  const { io, url, readyFile } = scene;
  const { clock, log, stop } = io;
  const served = servedOf(scene.models);
  const ready = untilReady({
    roster: cluster.roster,
    instances: () => cluster.instances(),
    models: served,
    url,
    clock,
    log,
    signal: stop.asked,
  });
  const failure = await Promise.race([
    ready.then(() => undefined, (error) => stop.asked.aborted ? undefined : Promise.reject(error)),
    cluster.failed,
  ]);
  if (failure !== undefined) throw failure;
  if (stop.asked.aborted) return;
  cluster.markReady();
  const facts = () => readyFacts(cluster, choice, scene, served.map((model) => model.name));
  await readyFile?.write(facts());
  for (const line of readyLines({ ...facts(), page: scene.page }, clock.nowMs())) io.say(line);
  using _rewrite = cluster.roster.onChange(() => {
    const whole = cluster.needed().every((id) =>
      cluster.roster.instances.get(id)?.status === "ready"
    );
    if (whole && !stop.asked.aborted) void readyFile?.write(facts());
  });
  using _scaling = await followScale(cluster, scene);
  const later = await Promise.race([aborted(stop.asked), cluster.failed]);
  if (later !== undefined) throw later;
}

/** With a planner that acts its word on workers is followed; not before the start is over, which counts on what it started. */
async function followScale(cluster: Cluster, scene: Scene): Promise<Disposable | undefined> {
  const { plan, models, namespace, kvSocket, io } = scene;
  if (plan.config.planner !== "act") return undefined;
  const follower = await ScaleFollower.open({
    ...{ registry: cluster.registry, fleet: cluster.fleet, roster: cluster.roster },
    ...{ namespace, log: io.log, say: io.say },
    workerOf: (name, number, role) => {
      const model = models.find(({ plan: { servedName } }) => servedName === name);
      return model && workerProgram(model, { number, role, kvSocket, passed: plan.passed.worker });
    },
  });
  if (!follower.ok) throw new StartError(follower.error.message, 3);
  return follower.value;
}

function readyFacts(
  cluster: Cluster,
  choice: TopologyChoice,
  scene: Scene,
  models: readonly string[],
): ReadyFacts {
  const processes = cluster.instances().flatMap((id): ReadyProcess[] => {
    const record = cluster.roster.instances.get(id);
    // Workers that came by scaling are on their way until then.
    if (record?.status !== "ready") return [];
    const { service, instance, pid, admin } = record;
    const card = cluster.roster.cardOf(id);
    return [{
      service,
      instance,
      pid,
      ...(card === undefined ? {} : { model: card.name, role: card.role }),
      admin,
    }];
  });
  return {
    url: scene.url,
    topology: choice.topology,
    pid: Deno.pid,
    namespace: scene.namespace,
    nats: cluster.nats,
    etcd: cluster.etcd,
    models,
    processes,
  };
}

async function topologyOf(plan: DevPlan, io: LaunchIo): Promise<TopologyChoice> {
  const { nats, etcd, topology } = plan.config;
  const choice = chooseTopology({
    wanted: topology,
    natsUrl: nats,
    etcdUrl: etcd,
    natsFound: findServer("nats-server") !== undefined,
    etcdFound: findServer("etcd") !== undefined,
  });
  if (!choice.ok) throw new StartError(choice.error.message, 3);
  for (const [url, what] of [[nats, "nats"], [etcd, "etcd"]]) {
    if (url === "") continue;
    const reached = await reachServer(url, what, io.clock);
    if (!reached.ok) throw new StartError(reached.error.message, 3);
  }
  return choice.value;
}

async function modelsOf(
  plan: DevPlan,
  io: LaunchIo,
): Promise<readonly ChosenModel[] | undefined> {
  const models = await chooseModels(plan, { ...io, signal: io.stop.asked });
  io.progress.end();
  if (models.ok) return models.value;
  if (models.error.code === "cancelled") return undefined;
  throw new StartError(models.error.message, models.error.code === "invalid_request" ? 2 : 3);
}

/** Two `--model`s of one name are one model with more workers. */
function servedOf(models: readonly ChosenModel[]): { name: string; workers: number }[] {
  const served = new Map<string, number>();
  for (const { plan } of models) {
    served.set(plan.servedName, (served.get(plan.servedName) ?? 0) + plan.workers);
  }
  return [...served].map(([name, workers]) => ({ name, workers }));
}

function namespaceOf(chance: Chance): string {
  const bytes = new Uint8Array(new Uint32Array([chance.u32()]).buffer);
  return `dev-${hexOfBytes(bytes)}`;
}
