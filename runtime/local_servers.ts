import type { Clock } from "./clock.ts";
import { systemClock } from "./clock_system.ts";
import { ServerProcess } from "./server_process.ts";
import type { ServerPlan } from "./server_process.ts";

/** A server that this program started on a loopback port; disposing it ends it and removes its temporary folder. */
export interface LocalServer extends AsyncDisposable {
  /** `nats://127.0.0.1:PORT` or `http://127.0.0.1:PORT`; the same after a restart. */
  readonly url: string;
  /** Of the process that runs now, or that ran last. */
  readonly pid: number;
  /** Resolves when the process that runs now has ended. */
  readonly exited: Promise<void>;
  /** SIGTERM, SIGKILL where that does not help; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data, after a kill where it still runs; resolves when it answers. */
  restart(): Promise<void>;
}

/** Options of a local server. */
export interface LocalServerOptions {
  /** 0, the default, takes a free port. */
  readonly port?: number;
  /** Where its data lie; a temporary folder, removed at the end, without it. */
  readonly dir?: string;
  /** NATS with its persistent streams on; Pixii needs none, a peer under measurement may. */
  readonly jetStream?: boolean;
  /** For waits; the system's without it. */
  readonly clock?: Clock;
}

const host = "127.0.0.1";

/** Starts nats-server and waits until it answers; throws `StartError` where it is missing or does not start. */
export function startNats(options: LocalServerOptions = {}): Promise<LocalServer> {
  return start(options, {
    program: "nats-server",
    ports: 1,
    args: ([port], dir) => [
      ...["--addr", host, "--port", `${port}`],
      ...(options.jetStream === true ? ["-js", "-sd", `${dir}/streams`] : []),
    ],
    url: ([port]) => `nats://${host}:${port}`,
    answers: async ([port], signal) => {
      using connection = await Deno.connect({ hostname: host, port });
      signal.addEventListener("abort", () => connection.close(), { once: true });
      const greeting = new Uint8Array(5);
      await connection.read(greeting);
      return new TextDecoder().decode(greeting) === "INFO ";
    },
  });
}

/** Starts a single etcd and waits until it answers; throws `StartError` where it is missing or does not start. */
export function startEtcd(options: LocalServerOptions = {}): Promise<LocalServer> {
  return start(options, {
    program: "etcd",
    ports: 2,
    args: ([port, peer], dir) => [
      ...["--name", "pixii", "--data-dir", `${dir}/etcd`, "--log-level", "warn"],
      ...["--listen-client-urls", `http://${host}:${port}`],
      ...["--advertise-client-urls", `http://${host}:${port}`],
      ...["--listen-peer-urls", `http://${host}:${peer}`],
      ...["--initial-advertise-peer-urls", `http://${host}:${peer}`],
      ...["--initial-cluster", `pixii=http://${host}:${peer}`],
      // A single member has nobody to vote with: a short election only makes its start quick.
      ...["--heartbeat-interval", "20", "--election-timeout", "100"],
      ...["--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1h"],
    ],
    url: ([port]) => `http://${host}:${port}`,
    answers: async ([port], signal) => {
      const answer = await fetch(`http://${host}:${port}/health`, { signal });
      return (await answer.text()).includes("true");
    },
  });
}

async function start(options: LocalServerOptions, plan: ServerPlan): Promise<LocalServer> {
  const clock = options.clock ?? systemClock();
  const dir = options.dir ?? await Deno.makeTempDir({ prefix: `pixii-${plan.program}-` });
  const server = new ServerProcess(plan, { clock, dir, removeDir: options.dir === undefined });
  try {
    await server.startFirst(options.port ?? 0);
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}
