import {
  AdminServer,
  type ConfigSchema,
  denoThreads,
  MemoryHub,
  MemoryRegistryHub,
  openLog,
  parseConfig,
  type RunningService,
  type ServiceHost,
  type ServiceSchema,
  type ServiceSpec,
  SocketHub,
  StartError,
  startService,
} from "@pixii/runtime";
import { frontendSpec } from "@pixii/frontend";
import { kvbmSpec } from "@pixii/kvbm";
import { plannerSpec } from "@pixii/planner";
import { routerSpec } from "@pixii/router";
import { type Cluster, type ClusterOptions, drainGraceMs } from "./cluster.ts";
import { Fleet } from "./fleet.ts";
import { Roster } from "./roster.ts";
import { type Program, type Wiring, wiringArgs } from "./service_args.ts";

/** Services that run inside the one process. */
const specs = {
  frontend: frontendSpec,
  router: routerSpec,
  planner: plannerSpec,
  kvbm: kvbmSpec,
} as const;

/**
 * Starts frontend, router, planner and kvbm inside this process, on the bus and the registry in memory, and the workers as
 * children that reach both over a Unix socket. Throws `StartError`; what was started until then is ended.
 */
export async function startOne(options: ClusterOptions): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const { clock, log, chance, namespace, runFolder } = options;
  const hub = new MemoryHub({ clock, log });
  const registryHub = new MemoryRegistryHub({ clock, log });
  const socketPath = `${runFolder.path}/bus.sock`;
  stack.use(
    await SocketHub.open({ path: socketPath, bus: hub, registry: registryHub, clock, log }),
  );
  const url = `unix:${socketPath}`;
  const wiring: Wiring = { nats: url, etcd: url, namespace, log: options.logFilter };
  const fleet = new Fleet({ ...options, wiring });
  stack.defer(() => fleet.stopAll(drainGraceMs, AbortSignal.abort()));
  for (const program of options.programs) if (program.service === "worker") fleet.start(program);
  const registry = stack.use(registryHub.connect());
  const roster = await Roster.open(registry, namespace, log);
  if (!roster.ok) throw new StartError(roster.error.message);
  stack.use(roster.value);
  const threads = denoThreads();
  const admin = stack.use(AdminServer.open({ host: "127.0.0.1", port: 0 }, log));
  // Each service has its own connection and lease, as if it were alone.
  const hostOf = (): ServiceHost => ({
    bus: stack.use(hub.connect()),
    registry: stack.use(registryHub.connect()),
    ...{ clock, chance, threads, admin },
    log: (service) => openLog([service]),
  });
  const running: RunningService[] = [];
  stack.defer(async () => {
    for (const service of running.toReversed()) await service.stop(AbortSignal.abort());
  });
  for (const program of options.programs) {
    if (program.service === "worker") continue;
    running.push(await startInside(program, wiring, hostOf(), options));
  }
  const failure = Promise.race([fleet.failed, ...running.map(failureOf)]);
  const started = stack.move();
  return {
    nats: url,
    etcd: url,
    roster: roster.value,
    ...{ registry, fleet },
    failed: failure,
    instances: () => [...running.map((service) => service.instance), ...fleet.instances()],
    needed: () => [...running.map((service) => service.instance), ...fleet.needed()],
    markReady: () => fleet.markReady(),
    stop: async (hurry) => {
      // The frontend was started last: it drains first, while what it needs still runs.
      for (const service of running.toReversed()) {
        await service.stop(hurry);
        if (service.name === "frontend") await fleet.stopAll(drainGraceMs, hurry);
      }
      await started[Symbol.asyncDispose]();
    },
  };
}

async function startInside(
  program: Program,
  wiring: Wiring,
  host: ServiceHost,
  options: ClusterOptions,
): Promise<RunningService> {
  const spec = specs[program.service as keyof typeof specs] as unknown as ServiceSpec<
    ConfigSchema & ServiceSchema
  >;
  const args = [...wiringArgs(wiring, options.chance.instanceId()), ...program.args];
  const env = { ...options.env, PIXII_CONFIG: "", PIXII_INSTANCE: "", PIXII_ADMIN_PORT: "" };
  const parsed = parseConfig(spec.schema, { args, env });
  if ("problems" in parsed) {
    throw new StartError(`${program.label}: ${parsed.problems.join("; ")}`, 2);
  }
  return await startService(spec, parsed.config, host, { prefixed: true });
}

async function failureOf(service: RunningService): Promise<StartError> {
  const error = await (service.service.failed ?? new Promise<never>(() => {}));
  return new StartError(`${service.name} cannot go on: ${error.message}`);
}
