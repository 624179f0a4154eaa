import { MemoryHub } from "./bus_memory.ts";
import type { MemoryBus } from "./bus_memory.ts";
import type { Bus } from "./bus.ts";
import { busContract } from "./bus_contract.ts";
import { systemClock } from "./clock_system.ts";
import { connectBus } from "./connect.ts";
import { startNats } from "./local_servers.ts";
import { recordingLog } from "./log_recording.ts";
import { MemoryRegistryHub } from "./registry_memory.ts";
import { findServer } from "./server_binary.ts";
import { SocketHub } from "./socket_hub.ts";

const clock = systemClock();
const log = recordingLog();
const natsServer = findServer("nats-server");
if (natsServer === undefined) console.log("skipped: bus over NATS: install nats-server");

async function client(url: string): Promise<Bus> {
  const bus = await connectBus(url, { clock, log, signal: new AbortController().signal });
  if (!bus.ok) throw new Error(bus.error.message);
  return bus.value;
}

busContract("memory", {
  ignore: false,
  open: () => {
    const hub = new MemoryHub({ clock, log });
    const views: MemoryBus[] = [];
    return Promise.resolve({
      connect: () => {
        const view = hub.connect();
        views.push(view);
        return Promise.resolve(view);
      },
      down: () => Promise.resolve(views.forEach((view) => view.disconnect())),
      up: () => Promise.resolve(views.forEach((view) => view.reconnect())),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});

busContract("a Unix socket", {
  ignore: Deno.build.os === "windows",
  open: async () => {
    const folder = await Deno.makeTempDir({ prefix: "pixii-bus-" });
    const path = `${folder}/bus.sock`;
    const open = () =>
      SocketHub.open({
        ...{ path, clock, log },
        bus: new MemoryHub({ clock, log }),
        registry: new MemoryRegistryHub({ clock, log }),
      });
    let hub = open();
    return {
      connect: () => client(hub.url),
      down: () => hub[Symbol.asyncDispose](),
      up: () => Promise.resolve(void (hub = open())),
      [Symbol.asyncDispose]: async () => {
        await hub[Symbol.asyncDispose]();
        await Deno.remove(folder, { recursive: true });
      },
    };
  },
});

busContract("NATS", {
  ignore: natsServer === undefined,
  open: async () => {
    const server = await startNats();
    return {
      connect: () => client(server.url),
      down: () => server.kill(),
      up: () => server.restart(),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
});
