import { Etcd3 } from "etcd3";
import { MemoryHub } from "./bus_memory.ts";
import { systemClock } from "./clock_system.ts";
import { connectRegistry } from "./connect.ts";
import { startEtcd } from "./local_servers.ts";
import { recordingLog } from "./log_recording.ts";
import type { Registry } from "./registry.ts";
import { registryContract } from "./registry_contract.ts";
import type { EtcdRegistry } from "./registry_etcd.ts";
import { type MemoryRegistry, MemoryRegistryHub } from "./registry_memory.ts";
import { findServer } from "./server_binary.ts";
import { SocketHub } from "./socket_hub.ts";

const clock = systemClock();
const log = recordingLog();
const etcd = findServer("etcd");
if (etcd === undefined) console.log("skipped: registry over etcd: install etcd-server");

async function client(url: string): Promise<Registry> {
  const signal = new AbortController().signal;
  const registry = await connectRegistry(url, { clock, log, signal });
  if (!registry.ok) throw new Error(registry.error.message);
  return registry.value;
}

registryContract("memory", {
  ignore: false,
  expires: true,
  open: () => {
    const hub = new MemoryRegistryHub({ clock, log });
    const views: MemoryRegistry[] = [];
    return Promise.resolve({
      connect: () => {
        const view = hub.connect();
        views.push(view);
        return Promise.resolve(view);
      },
      down: () => Promise.resolve(views.forEach((view) => view.disconnect())),
      up: () => Promise.resolve(views.forEach((view) => view.reconnect())),
      expire: (view) => Promise.resolve((view as MemoryRegistry).expire()),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});

registryContract("a Unix socket", {
  ignore: Deno.build.os === "windows",
  open: async () => {
    const folder = await Deno.makeTempDir({ prefix: "pixii-registry-" });
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

registryContract("etcd", {
  ignore: etcd === undefined,
  expires: true,
  server: true,
  open: async () => {
    const server = await startEtcd();
    return {
      connect: () => client(server.url),
      down: () => server.kill(),
      up: () => server.restart(),
      expire: (registry) => (registry as EtcdRegistry).expire(),
      compact: async () => {
        await server.restart();
        const writer = new Etcd3({ hosts: server.url });
        await writer.delete().key("/k/old");
        await writer.put("/k/new").value("2");
        const { header } = await writer.get("/k/new").exec();
        await writer.kv.compact({ revision: header.revision, physical: true });
        writer.close();
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
});
