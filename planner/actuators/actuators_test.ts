import { fail, keys } from "@pixii/wire";
import { MemoryRegistryHub, openLog, systemClock, VirtualClock } from "@pixii/runtime";
import type { Registry } from "@pixii/runtime";
import { actuatorContract } from "../testing/actuator_contract.ts";
import { FakeKube } from "../testing/fake_kube.ts";
import { KubeClient } from "./kube_client.ts";
import { readKubeTarget } from "./kube_target.ts";
import { KubernetesScale } from "./kubernetes.ts";
import { LauncherScale } from "./launcher.ts";
import { RoleKeys } from "./role_keys.ts";
import { VirtualActuator } from "./virtual.ts";

const namespace = "default";

/** A registry that can be told to take nothing, and its keys as text. */
function openRegistry() {
  const clock = new VirtualClock();
  const hub = new MemoryRegistryHub({ clock, log: openLog(["test"]) });
  const inner = hub.connect();
  let refuses = false;
  const registry: Registry = new Proxy(inner, {
    get: (target, name) => {
      if (name === "put" && refuses) {
        return () =>
          Promise.resolve(fail("registry_unavailable", "Cannot write: the registry is away"));
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    registry,
    refuse: (on: boolean) => refuses = on,
    wishes: async () => {
      const read = await inner.list(keys(namespace).desires);
      const scales = await inner.list(keys(namespace).scales);
      return JSON.stringify(
        [read, scales].map((one) =>
          one.ok ? one.value.map(({ key, value }) => [key, value]) : one.error
        ),
      );
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

actuatorContract("VirtualActuator", () => {
  const actuator = new VirtualActuator();
  return Promise.resolve({
    actuator,
    wishes: () => Promise.resolve(JSON.stringify(actuator.orders)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

actuatorContract("RoleKeys", () => {
  const world = openRegistry();
  const { registry } = world;
  return Promise.resolve({
    ...world,
    actuator: new RoleKeys({ registry, namespace, boundMs: 60_000 }),
  });
});

actuatorContract("LauncherScale", () => {
  const world = openRegistry();
  const { registry } = world;
  return Promise.resolve({ ...world, actuator: new LauncherScale({ registry, namespace }) });
});

actuatorContract("KubernetesScale", async () => {
  const kube = await FakeKube.open({ worker: 4 });
  const world = openRegistry();
  const { url, account } = kube;
  const actuator = new KubernetesScale({
    client: new KubeClient({ url, account, namespace: "", clock: systemClock() }),
    targets: [readKubeTarget("m=deployments/worker")],
    pods: { of: () => "worker-1-a", all: () => ["worker-1-a"], [Symbol.dispose]: () => {} },
    log: openLog(["test"]),
    note: new LauncherScale({ registry: world.registry, namespace }),
  });
  return {
    actuator,
    wishes: async () => `${JSON.stringify(kube.wanted)} ${await world.wishes()}`,
    refuse: (on) => kube.refuses = on,
    [Symbol.asyncDispose]: async () => {
      await kube[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
});
