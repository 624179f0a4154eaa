import type { Clock } from "./clock.ts";
import type { LocalServer } from "./local_servers.ts";
import { findServer } from "./server_binary.ts";
import { exitCodes, StartError } from "./start_error.ts";

/** How one kind of server is started and asked whether it is up. */
export interface ServerPlan {
  /** Its program's name. */
  readonly program: string;
  /** Ports it needs; the first is the one clients use. */
  readonly ports: number;
  args(ports: readonly number[], dir: string): readonly string[];
  url(ports: readonly number[]): string;
  /** True when it serves; a throw means not yet. Gives up when `signal` aborts: something else may hold the port. */
  answers(ports: readonly number[], signal: AbortSignal): Promise<boolean>;
}

/** Longest wait until a started server answers. */
const startMs = 15_000;
/** How often it is asked, and how long one question may take. */
const askEveryMs = 20;
const askMs = 1_000;
/** How long it has to end by itself before it is killed. */
const endMs = 3_000;
/** Another program may take a free port before the server does: so many starts on new ports are tried. */
const portTries = 4;
/** What it printed last, kept for the error. */
const keptChars = 2_000;

interface Running {
  readonly child: Deno.ChildProcess;
  readonly exited: Promise<void>;
  said: string;
  ended: boolean;
}

/** A server's process and how to start it again. */
export class ServerProcess implements LocalServer {
  readonly #plan: ServerPlan;
  readonly #clock: Clock;
  readonly #dir: string;
  readonly #removeDir: boolean;
  #ports: readonly number[] = [];
  #running: Running | undefined;
  #disposed: Promise<void> | undefined;

  constructor(
    plan: ServerPlan,
    options: { readonly clock: Clock; readonly dir: string; readonly removeDir: boolean },
  ) {
    this.#plan = plan;
    this.#clock = options.clock;
    this.#dir = options.dir;
    this.#removeDir = options.removeDir;
  }

  get url(): string {
    return this.#plan.url(this.#ports);
  }

  get pid(): number {
    return this.#running?.child.pid ?? 0;
  }

  get exited(): Promise<void> {
    return this.#running?.exited ?? Promise.resolve();
  }

  /** Starts it on `port`, or on free ones where that is 0. */
  async startFirst(port: number): Promise<void> {
    for (let tries = portTries;; tries--) {
      this.#ports = freePorts(this.#plan.ports, port);
      try {
        return await this.#start();
      } catch (error) {
        if (port !== 0 || tries <= 1 || !this.#lostItsPort()) throw error;
      }
    }
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.#start();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    signalTo(running, "SIGTERM");
    using _limit = this.#clock.timer(endMs, () => signalTo(running, "SIGKILL"));
    await running.exited;
  }

  async kill(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    signalTo(running, "SIGKILL");
    await running.exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#disposed ??= this.#dispose();
  }

  async #dispose(): Promise<void> {
    await this.stop();
    if (this.#removeDir) await Deno.remove(this.#dir, { recursive: true });
  }

  #lostItsPort(): boolean {
    return /address already in use/i.test(this.#running?.said ?? "");
  }

  async #start(): Promise<void> {
    const { program } = this.#plan;
    const binary = findServer(program);
    if (binary === undefined) {
      throw new StartError(
        `Cannot start ${program}: it is not on PATH; install it (Debian: apt install ${
          program === "etcd" ? "etcd-server" : program
        })`,
        exitCodes.missing,
      );
    }
    const running = spawn(binary, this.#plan.args(this.#ports, this.#dir));
    this.#running = running;
    const giveUpMs = this.#clock.nowMs() + startMs;
    while (!await this.#answers()) {
      if (running.ended || this.#clock.nowMs() > giveUpMs) {
        await this.kill();
        throw new StartError(
          `Cannot start ${program} on ${this.url}: ${
            running.ended ? "it ended" : `no answer within ${startMs} ms`
          }; it said: ${running.said.trim().slice(-500)}`,
          exitCodes.missing,
        );
      }
      await this.#clock.sleep(askEveryMs);
    }
  }

  async #answers(): Promise<boolean> {
    using limit = this.#clock.deadline(askMs);
    try {
      return await this.#plan.answers(this.#ports, limit.signal);
    } catch {
      // Not up yet: the caller asks again until its limit.
      return false;
    }
  }
}

function spawn(binary: string, args: readonly string[]): Running {
  const child = new Deno.Command(binary, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    // In a group of its own, so that Ctrl-C in a terminal does not end it before the programs that still drain.
    detached: true,
  }).spawn();
  const running: Running = {
    child,
    exited: Promise.all([
      child.status,
      keepSaid(child.stderr, (text) => {
        running.said = (running.said + text).slice(-keptChars);
      }),
    ]).then(() => {
      running.ended = true;
    }),
    said: "",
    ended: false,
  };
  return running;
}

async function keepSaid(
  stream: ReadableStream<Uint8Array>,
  keep: (text: string) => void,
): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) keep(text);
}

function signalTo(running: Running, signal: Deno.Signal): void {
  if (running.ended) return;
  try {
    running.child.kill(signal);
  } catch (error) {
    // It ended by itself a moment ago.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

function freePorts(count: number, first: number): number[] {
  const listeners = Array.from(
    { length: first === 0 ? count : count - 1 },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const free = listeners.map((one) => one.addr.port);
  for (const one of listeners) one.close();
  return first === 0 ? free : [first, ...free];
}
