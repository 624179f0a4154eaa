import {
  connectRegistry,
  type LocalServer,
  StartError,
  startEtcd,
  startNats,
} from "@pixii/runtime";
import { type Cluster, type ClusterOptions, drainGraceMs } from "./cluster.ts";
import { Fleet } from "./fleet.ts";

import { ServerKeeper } from "./server_keeper.ts";
import { Roster } from "./roster.ts";

/**
 * Starts every program as a process of its own over NATS and etcd; servers that were not named are started here, with their
 * data in the run folder. Throws `StartError`; what was started until then is ended.
 */
export async function startProcesses(options: ClusterOptions): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const { plan, clock, log, runFolder, namespace } = options;
  const keep = (name: string) => (server: LocalServer): string => {
    stack.use(new ServerKeeper({ name, server, clock, log, runFolder }));
    return server.url;
  };
  const [nats, etcd] = await Promise.all([
    plan.config.nats ||
    startNats({ dir: `${runFolder.path}/nats`, clock }).then(keep("nats-server")),
    plan.config.etcd ||
    startEtcd({ dir: `${runFolder.path}/etcd`, clock }).then(keep("etcd")),
  ]);
  const fleet = new Fleet({
    ...options,
    wiring: { nats, etcd, namespace, log: options.logFilter },
  });
  stack.defer(() => fleet.stopAll(drainGraceMs, AbortSignal.abort()));
  for (const program of options.programs) fleet.start(program);
  const registry = await connectRegistry(etcd, { clock, log, signal: options.signal });
  if (!registry.ok) throw new StartError(registry.error.message, 3);
  stack.use(registry.value);
  const roster = await Roster.open(registry.value, namespace, log);
  if (!roster.ok) throw new StartError(roster.error.message, 3);
  stack.use(roster.value);
  const started = stack.move();
  return {
    nats,
    etcd,
    roster: roster.value,
    registry: registry.value,
    fleet,
    failed: fleet.failed,
    instances: () => fleet.instances(),
    needed: () => fleet.needed(),
    markReady: () => fleet.markReady(),
    stop: async (hurry) => {
      await fleet.stop("frontend", drainGraceMs, hurry);
      // What a worker has only on its device goes to the kvbm at its end.
      await fleet.stop("worker", drainGraceMs, hurry);
      await fleet.stopAll(drainGraceMs, hurry);
      await started[Symbol.asyncDispose]();
    },
  };
}
