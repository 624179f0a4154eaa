import { standaloneFlags } from "@pixii/cluster";
import { startChild } from "../child.ts";
import type { Child } from "../child.ts";
import type { House } from "./house.ts";

/** A kvbm and a worker of the same model that take themselves for another host: nothing is shared but the network. */
export interface FarHost extends AsyncDisposable {
  /** Instance of its worker. */
  readonly worker: string;
}

/** Name of the other host. */
const host = "proof-far";
/** 64-bit names, as instances have them. */
const instances = { kvbm: "00000000000fa700", worker: "00000000000fa701" } as const;

/** Starts them beside a house; resolves when the worker serves and uses its kvbm. */
export async function startFarHost(house: House, role: "both" | "prefill"): Promise<FarHost> {
  const { nats, etcd, namespace } = house.dev;
  const folder = await Deno.makeTempDir({ prefix: "pixii-far-" });
  const children: Child[] = [];
  const start = (service: "kvbm" | "worker", flags: readonly string[]) => {
    const member = service === "worker" ? "workers" : service;
    const main = new URL(`../../${member}/main.ts`, import.meta.url).pathname;
    const wiring = ["--nats", nats, "--etcd", etcd, "--namespace", namespace, "--log", "warn"];
    const args = ["run", ...standaloneFlags(service), "--no-check", "--quiet", main, ...wiring];
    children.push(startChild(Deno.execPath(), {
      args: [...args, "--instance", instances[service], ...flags],
      ...{ url: "", env: { PIXII_HOST: host } },
    }));
  };
  const socket = `${folder}/kvbm.sock`;
  start("kvbm", ["--kv-host", house.options.kvHost, "--kv-socket", socket]);
  start("worker", [...house.workerFlags(), "--role", role, "--kvbm", socket]);
  const end = async () => {
    await Promise.all(children.map((child) => child[Symbol.asyncDispose]()));
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await house.untilWorkers(2);
  } catch (error) {
    await end();
    throw error;
  }
  return { worker: instances.worker, [Symbol.asyncDispose]: end };
}
