import { standaloneFlags } from "@pixii/cluster";
import { decodeRecord, keys } from "@pixii/wire";
import type { ServiceName } from "@pixii/wire";
import { startEtcd, startNats } from "@pixii/runtime";
import type { LocalServer } from "@pixii/runtime";
import { until } from "./until.ts";

/** One program of the stack, as a process of its own. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  /** Ends it and waits; SIGTERM drains, SIGKILL does not. Resolves with its exit code. */
  end(signal: Deno.Signal): Promise<number>;
  /** The last lines it logged. */
  readonly lines: readonly string[];
  readonly exited: Promise<Deno.CommandStatus>;
}

/** The programs of the house over a real nats-server and a real etcd. */
export interface Stack extends AsyncDisposable {
  readonly url: string;
  readonly nats: LocalServer;
  readonly etcd: LocalServer;
  readonly programs: readonly Program[];
  /** Starts another worker; resolves when it is started, not when it serves. */
  addWorker(options: { model: string; name: string; flags?: readonly string[] }): Program;
  /** Starts another copy of a program without a port of its own. */
  addProgram(member: "router" | "planner" | "kvbm"): Program;
  /** `/metrics` of the first running program of a service. */
  metrics(service: ServiceName): Promise<string>;
  /** Waits until the frontend lists `model` with `workers` workers. */
  untilServed(model: string, workers?: number): Promise<void>;
}

const root = new URL("../", import.meta.url);

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

type Member = "frontend" | "router" | "planner" | "workers" | "kvbm";

/** Starts one program by hand, with its usual permissions and `more` of them. */
export function startProgram(
  member: Member,
  flags: readonly string[],
  { more = [] }: { readonly more?: readonly string[] } = {},
): Program {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...standaloneFlags(member === "workers" ? "worker" : member),
      ...more,
      "--no-check",
      "--quiet",
      new URL(`${member}/main.ts`, root).pathname,
      ...flags,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines: string[] = [];
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      lines.push(...text.split("\n").filter((line) => line !== ""));
      if (lines.length > 400) lines.splice(0, 200);
    }
  })();
  return {
    name: member,
    pid: child.pid,
    lines,
    exited: child.status,
    async end(signal) {
      try {
        child.kill(signal);
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
      const status = await child.status;
      await reading;
      return status.code;
    },
  };
}

/** Admin URL of the first instance of a service, as etcd has it. */
async function adminOf(etcdUrl: string, service: ServiceName): Promise<string> {
  const range = (text: string) => btoa(text);
  const prefix = `${keys("test").instances}${service}/`;
  const body = JSON.stringify({ key: range(prefix), range_end: range(`${prefix}~`), limit: 1 });
  const answer = await (await fetch(`${etcdUrl}/v3/kv/range`, { method: "POST", body })).json();
  const record = decodeRecord("instance", atob(answer.kvs?.[0]?.value ?? ""));
  if (!record.ok) throw new Error(`no ${service} is registered: ${record.error.message}`);
  return record.value.admin;
}

/** Starts nats-server, etcd, frontend, router, planner and kvbm; add workers. */
export async function startStack(
  options: {
    frontendFlags?: readonly string[];
    routerFlags?: readonly string[];
    kvbmFlags?: readonly string[];
  } = {},
): Promise<Stack> {
  await using servers = new AsyncDisposableStack();
  const nats = servers.use(await startNats());
  const etcd = servers.use(await startEtcd());
  const shared = ["--nats", nats.url, "--etcd", etcd.url, "--namespace", "test"];
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const programs: Program[] = [
    startProgram("frontend", [...shared, "--port", `${port}`, ...(options.frontendFlags ?? [])]),
    startProgram("router", [...shared, ...(options.routerFlags ?? [])]),
    startProgram("planner", shared),
    startProgram("kvbm", [...shared, ...(options.kvbmFlags ?? [])]),
  ];
  const said = () =>
    programs.map((one) => `${one.name}:\n  ${one.lines.slice(-12).join("\n  ")}`).join("\n");
  // From here on the stack ends them.
  const held = servers.move();
  return {
    url,
    nats,
    etcd,
    programs,
    addWorker({ model, name, flags }) {
      const worker = startProgram("workers", [
        ...shared,
        ...["--model", model, "--served-name", name, ...(flags ?? [])],
      ]);
      programs.push(worker);
      return worker;
    },
    addProgram(member) {
      const flags = member === "kvbm" ? options.kvbmFlags ?? [] : [];
      const program = startProgram(member, [...shared, ...flags]);
      programs.push(program);
      return program;
    },
    async metrics(service) {
      return await (await fetch(`${await adminOf(etcd.url, service)}/metrics`)).text();
    },
    async untilServed(model, workers = 1) {
      await until(`${model} is served by ${workers}`, async () => {
        const health = await (await fetch(`${url}/health`)).json();
        const found = health.details?.models?.[model]?.workers ?? 0;
        return found >= workers ? true : `health says ${JSON.stringify(health)}\n${said()}`;
      }, 60_000);
    },
    async [Symbol.asyncDispose]() {
      // A kvbm that is killed leaves its pool in memory until the next one starts.
      const signalOf = (name: string) => name === "kvbm" ? "SIGTERM" : "SIGKILL";
      await Promise.all(programs.map((one) => one.end(signalOf(one.name))));
      await held.disposeAsync();
    },
  };
}
