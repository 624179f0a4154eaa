import assert from "node:assert/strict";
import { parse } from "yaml";
import { type ConfigSchema, parseConfig } from "@pixii/runtime";
import { type ServiceName, serviceNames } from "@pixii/wire";
import { frontendSchema } from "@pixii/frontend";
import { kvbmSchema } from "@pixii/kvbm";
import { plannerSchema } from "@pixii/planner";
import { routerSchema } from "@pixii/router";
import { workerSchema } from "@pixii/workers";
import { memberOf } from "./compile_args.ts";
import { allocatorVariables, permissionFlags, standaloneFlags } from "./permissions.ts";

interface ComposeService {
  readonly command: readonly string[];
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const root = new URL("../", import.meta.url);
const file = parse(await Deno.readTextFile(new URL("compose.yaml", root)), { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const schemas: Readonly<Record<ServiceName, ConfigSchema>> = {
  frontend: frontendSchema,
  router: routerSchema,
  planner: plannerSchema,
  worker: workerSchema,
  kvbm: kvbmSchema,
};
const adminPort = "9090";

/** A program's command: Deno's flags, the program, the program's flags. */
function partsOf(service: ServiceName) {
  const { command } = file.services[service];
  const at = command.findIndex((word) => word.endsWith(".ts"));
  return { deno: command.slice(0, at), main: command[at], own: command.slice(at + 1) };
}

Deno.test("compose.yaml runs the five programs and both servers", () => {
  assert.deepEqual(Object.keys(file.services).sort(), [...serviceNames, "etcd", "nats"].sort());
  for (const service of serviceNames) {
    assert.equal(partsOf(service).main, `${memberOf(service)}/main.ts`);
  }
});

Deno.test("compose.yaml gives every program flags that it knows, with values that it takes", () => {
  for (const service of serviceNames) {
    const args = partsOf(service).own.map((word) => word.replace(/\$\{\w+:-([^}]*)\}/g, "$1"));
    const parsed = parseConfig(schemas[service], { args, env: {} });
    assert.ok("config" in parsed, `${service}: ${JSON.stringify(parsed)}`);
    const config = parsed.config as Readonly<Record<string, unknown>>;
    assert.equal(config.nats, "nats://nats:4222");
    assert.equal(config.etcd, "http://etcd:2379");
    assert.equal(config["admin.port"], Number(adminPort));
    assert.equal(config["admin.host"], "127.0.0.1");
  }
});

Deno.test("compose.yaml gives every program the permissions of the table and no others", () => {
  for (const service of serviceNames) {
    const bound = permissionFlags(service, {
      nats: "nats://nats:4222",
      etcd: "http://etcd:2379",
      admin: `127.0.0.1:${adminPort}`,
      listen: service === "frontend" ? ["0.0.0.0:8000"] : [],
      packages: ["/deno-dir", "/pixii"],
    });
    const hasNative = service === "worker" || service === "kvbm";
    assert.deepEqual(partsOf(service).deno, hasNative ? standaloneFlags(service) : bound, service);
    const { environment = {} } = file.services[service];
    assert.deepEqual(environment, allocatorVariables(service), service);
  }
});

Deno.test("compose.yaml binds every container: its own user, read-only root, no capabilities, health", () => {
  for (const [name, service] of Object.entries(file.services)) {
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ["ALL"], name);
    assert.deepEqual(service.security_opt, ["no-new-privileges:true"], name);
  }
  for (const service of serviceNames) {
    const { user, healthcheck } = file.services[service];
    assert.equal(user, "10001:10001");
    assert.ok(healthcheck.test.some((word) => word.includes(`127.0.0.1:${adminPort}/live`)));
  }
  assert.deepEqual(file.services.frontend.ports, ["127.0.0.1:8000:8000"]);
});

Deno.test("compose.yaml shares pool and socket between kvbm and worker", () => {
  const flag = (service: ServiceName, name: string) =>
    partsOf(service).own.find((word) => word.startsWith(`--${name}=`))?.split("=")[1] ?? "";
  const mounts = (service: ServiceName) =>
    (file.services[service].volumes ?? []).map((one) => one.split(":").slice(0, 2));
  const socket = flag("kvbm", "kv-socket");
  assert.equal(flag("worker", "kvbm"), socket);
  for (const service of ["kvbm", "worker"] as const) {
    const paths = mounts(service).map(([, path]) => path);
    assert.ok(paths.includes(flag("kvbm", "kv-pool")), service);
    assert.ok(paths.some((path) => socket.startsWith(`${path}/`)), service);
  }
  for (const [volume] of [...mounts("kvbm"), ...mounts("worker")]) {
    assert.ok(volume in file.volumes || volume.startsWith("$"), volume);
  }
});

Deno.test("Containerfile runs the Deno and the llama.cpp package that are pinned here", async () => {
  const text = await Deno.readTextFile(new URL("deploy/Containerfile", root));
  const workers = JSON.parse(await Deno.readTextFile(new URL("workers/deno.json", root)));
  const pinned = workers.imports["@node-llama-cpp/linux-x64"].split("@").at(-1);
  assert.match(
    text,
    new RegExp(`@node-llama-cpp/linux-\\$\\(.*\\)@${pinned.replaceAll(".", "\\.")}`),
  );
  for (const service of serviceNames) assert.ok(text.includes(`${memberOf(service)}/main.ts`));
  const user = /--uid (\d+)/.exec(text)?.[1];
  assert.equal(file.services.worker.user.split(":")[0], user);
});
