import { Etcd3 } from "etcd3";
import { systemClock } from "./clock_system.ts";
import { connectRegistry } from "./connect.ts";
import { startEtcd } from "./local_servers.ts";
import { recordingLog } from "./log_recording.ts";
import type { Registry } from "./registry.ts";
import { registryContract } from "./registry_contract.ts";
import type { EtcdRegistry } from "./registry_etcd.ts";
import { MemoryRegistryHub } from "./registry_memory.ts";
import type { MemoryRegistry } from "./registry_memory.ts";
import { findServer } from "./server_binary.ts";
import { memoryWorld, socketWorld } from "./testing/hub_worlds.ts";

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
  open: () =>
    Promise.resolve({
      ...memoryWorld(new MemoryRegistryHub({ clock, log })),
      expire: (view) => Promise.resolve((view as MemoryRegistry).expire()),
    }),
});

registryContract("a Unix socket", {
  ignore: Deno.build.os === "windows",
  open: () => socketWorld({ clock, log }, client),
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
