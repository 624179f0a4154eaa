import { AdminServer } from "./admin.ts";
import { systemChance } from "./chance_system.ts";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock_system.ts";
import type { ConfigOf } from "./config.ts";
import { readConfig } from "./config_file.ts";
import { renderHelp, schemaJson } from "./config_help.ts";
import { wantsHelp } from "./config_parse.ts";
import { connectBus, connectRegistry } from "./connect.ts";
import { v8Heap } from "./heap.ts";
import { keepHeap } from "./heap_keeper.ts";
import type { Log } from "./log.ts";
import { parseLogFilter } from "./log_filter.ts";
import { configureLog, openLog, standardError } from "./log_tape.ts";
import type { ServiceSpec } from "./service.ts";
import { startService } from "./service_start.ts";
import type { RunningService, ServiceSchema } from "./service_start.ts";
import type { commonOptions } from "./service_options.ts";
import { exitCodes, StartError } from "./start_error.ts";
import { StopRequest } from "./stop_request.ts";
import { denoThreads } from "./threads_deno.ts";

/** Longest wait for bus, registry and admin port to close at the end. */
const closeMs = 5_000;

/**
 * A service as a program of its own: reads the options, connects, serves until SIGINT, SIGTERM or the launcher's end,
 * drains, and ends the process with a code of `exitCodes`. A second signal ends it at once. Never returns.
 */
export async function runService<Schema extends ServiceSchema>(
  spec: ServiceSpec<Schema>,
): Promise<never> {
  if (wantsHelp(Deno.args)) {
    console.log(renderHelp(spec.schema, `deno task ${spec.name}`, spec.summary));
    Deno.exit(exitCodes.stopped);
  }
  if (Deno.args.includes("--config-schema")) {
    console.log(JSON.stringify(schemaJson(spec.schema), undefined, 2));
    Deno.exit(exitCodes.stopped);
  }
  const read = await readConfig(spec.schema);
  if ("problems" in read) {
    for (const problem of read.problems) console.error(problem);
    Deno.exit(exitCodes.usage);
  }
  const common = read.config as unknown as ConfigOf<typeof commonOptions>;
  const filter = parseLogFilter(common.log);
  configureLog("rules" in filter ? filter.rules : [], standardError());
  const log = openLog([spec.name]);
  endOnUncaught(log);
  using stop = new StopRequest(log);
  try {
    await serve(spec, read.config, { common, log, stop });
  } catch (error) {
    Deno.exit(reportEnd(error, log, stop));
  }
  Deno.exit(exitCodes.stopped);
}

interface Program {
  readonly common: ConfigOf<typeof commonOptions>;
  readonly log: Log;
  readonly stop: StopRequest;
}

async function serve<Schema extends ServiceSchema>(
  spec: ServiceSpec<Schema>,
  config: ConfigOf<Schema>,
  { common, log, stop }: Program,
): Promise<void> {
  const clock = systemClock();
  const { signal } = stop;
  using _heap = keepHeap({ clock, log, heap: v8Heap() });
  const bus = await connectBus(common.nats, { clock, log: log.child("bus"), signal });
  if (!bus.ok) throw new StartError(bus.error.message, exitCodes.missing);
  const registry = await connectRegistry(common.etcd, {
    clock,
    log: log.child("registry"),
    signal,
  });
  if (!registry.ok) throw new StartError(registry.error.message, exitCodes.missing);
  const admin = AdminServer.open({ host: common["admin.host"], port: common["admin.port"] }, log);
  const starting = startService(spec, config, {
    bus: bus.value,
    registry: registry.value,
    clock,
    chance: systemChance(),
    threads: denoThreads(),
    admin,
    log: (service) => openLog([service]),
  });
  const close = async () => {
    await admin[Symbol.asyncDispose]();
    await registry.value[Symbol.asyncDispose]();
    await bus.value[Symbol.asyncDispose]();
  };
  const running = await Promise.race([starting, stop.asked]);
  // Asked to stop while a model loads: nothing is served yet, so nothing has to be drained.
  if (running === undefined) {
    starting.catch((error) => log.debug("start given up", { error }));
    return await within(closeMs, clock, close());
  }
  const failure = await firstOf(running, stop);
  log.info("stopping", { reason: failure?.message ?? stop.reason });
  await running.stop(failure === undefined ? undefined : AbortSignal.abort(failure));
  await within(closeMs, clock, close());
  if (failure !== undefined) throw failure;
  log.info("stopped");
}

/** Waits for `work`, but not longer than `ms`. */
async function within(ms: number, clock: Clock, work: Promise<void>): Promise<void> {
  const limit = Promise.withResolvers<void>();
  using _timer = clock.timer(ms, () => limit.resolve());
  await Promise.race([work, limit.promise]);
}

/** The error of a service that cannot go on, or undefined when asked to stop. */
async function firstOf(running: RunningService, stop: StopRequest): Promise<Error | undefined> {
  const failed = running.service.failed ?? new Promise<never>(() => {});
  return await Promise.race([failed, stop.asked.then(() => undefined)]);
}

/** Logs why the program ends and says with which code. */
function reportEnd(error: unknown, log: Log, stop: StopRequest): number {
  if (stop.signal.aborted && error === stop.signal.reason) return exitCodes.stopped;
  if (error instanceof StartError) {
    log.error(error.message);
    return error.exitCode;
  }
  log.error("cannot go on", { error });
  return exitCodes.failed;
}

/** An error nobody caught is a bug: the state behind it cannot be trusted. */
function endOnUncaught(log: Log): void {
  const end = (error: unknown) => {
    log.error("uncaught error", { error });
    Deno.exit(exitCodes.failed);
  };
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    end(event.error);
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    end(event.reason);
  });
}
