import { MemoryHub } from "./bus_memory.ts";
import type { Bus } from "./bus.ts";
import { seededChance } from "./chance_seeded.ts";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock_system.ts";
import { recordingLog } from "./log_recording.ts";
import type { LoggedLine } from "./log_recording.ts";
import type { AdminPart } from "./admin.ts";
import { MemoryRegistryHub } from "./registry_memory.ts";
import type { Registry } from "./registry.ts";
import type { ServiceHost } from "./service_start.ts";
import { denoThreads } from "./threads_deno.ts";

/** A host of services without servers, ports and files: for tests and the simulator. */
export interface TestHost extends ServiceHost, AsyncDisposable {
  readonly clock: Clock;
  /** Every line that any service logged. */
  readonly lines: readonly LoggedLine[];
  /** What is mounted on the admin server that is not there. */
  readonly parts: ReadonlyMap<string, AdminPart>;
  /** Another client of the same bus and registry, as another program would be. */
  connect(): { readonly bus: Bus; readonly registry: Registry };
}

/** A host over the in-memory bus and registry; equal clocks and seeds give equal behaviour. */
export function testHost(
  options: { readonly clock?: Clock; readonly seed?: number } = {},
): TestHost {
  const clock = options.clock ?? systemClock();
  const lines: LoggedLine[] = [];
  const log = (service: string) => recordingLog(service, lines);
  const hub = new MemoryHub({ clock, log: log("bus") });
  const registries = new MemoryRegistryHub({ clock, log: log("registry") });
  const clients: AsyncDisposable[] = [];
  const connect = () => {
    const client = { bus: hub.connect(), registry: registries.connect() };
    clients.push(client.registry, client.bus);
    return client;
  };
  const parts = new Map<string, AdminPart>();
  return {
    ...connect(),
    clock,
    chance: seededChance(options.seed ?? 1),
    threads: denoThreads(),
    admin: {
      url: "http://127.0.0.1:9",
      mount: (part) => {
        parts.set(part.instance, part);
        return { [Symbol.dispose]: () => void parts.delete(part.instance) };
      },
    },
    process: { pid: 1, host: "localhost" },
    log,
    lines,
    parts,
    connect,
    async [Symbol.asyncDispose]() {
      for (const client of clients.splice(0)) await client[Symbol.asyncDispose]();
    },
  };
}
