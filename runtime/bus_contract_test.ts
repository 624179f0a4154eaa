import { MemoryHub } from "./bus_memory.ts";
import type { Bus } from "./bus.ts";
import { busContract } from "./bus_contract.ts";
import { systemClock } from "./clock_system.ts";
import { connectBus } from "./connect.ts";
import { startNats } from "./local_servers.ts";
import { recordingLog } from "./log_recording.ts";
import { findServer } from "./server_binary.ts";
import { memoryWorld, socketWorld } from "./testing/hub_worlds.ts";

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
  open: () => Promise.resolve(memoryWorld(new MemoryHub({ clock, log }))),
});

busContract("a Unix socket", {
  ignore: Deno.build.os === "windows",
  open: () => socketWorld({ clock, log }, client),
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
