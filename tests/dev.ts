import { until } from "./until.ts";

/** What the ready file says (docs/command-line.md). */
export interface ReadyFacts {
  readonly url: string;
  readonly topology: string;
  readonly pid: number;
  readonly namespace: string;
  readonly etcd: string;
  readonly models: readonly string[];
  readonly processes: readonly {
    readonly service: string;
    readonly instance: string;
    readonly pid: number;
    readonly admin: string;
  }[];
}

/** A running `deno task dev`. */
export interface Dev extends AsyncDisposable {
  readonly facts: ReadyFacts;
  /** Everything it printed on stdout so far. */
  readonly stdout: () => string;
  /** Sends a signal to the launcher and waits for its exit code. */
  end(signal: Deno.Signal): Promise<number>;
  /** The ready file as it is now; `undefined` when it is gone. */
  ready(): Promise<ReadyFacts | undefined>;
}

/** Starts the launcher with these flags and waits for its ready file. */
export async function startDev(flags: readonly string[]): Promise<Dev> {
  const folder = await Deno.makeTempDir({ prefix: "pixii-dev-test-" });
  const file = `${folder}/ready.json`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...[
        "run",
        "-A",
        "--no-check",
        "--quiet",
        new URL("../cluster/dev.ts", import.meta.url).pathname,
      ],
      ...["--port", "0", "--ready-file", file, ...flags],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const text = { stdout: "", stderr: "" };
  const reading = (["stdout", "stderr"] as const).map(async (name) => {
    for await (const piece of child[name].pipeThrough(new TextDecoderStream())) {
      text[name] = (text[name] + piece).slice(-100_000);
    }
  });
  const read = async (): Promise<ReadyFacts | undefined> => {
    try {
      return JSON.parse(await Deno.readTextFile(file));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  };
  let exited: number | undefined;
  child.status.then((status) => exited = status.code);
  await until("dev is ready", async () => {
    if (exited !== undefined) throw new Error(`exit ${exited}`);
    return await read() !== undefined ||
      `stdout:\n${text.stdout.slice(-2000)}\nstderr:\n${text.stderr.slice(-4000)}`;
  }, 90_000);
  const end = async (signal: Deno.Signal) => {
    if (exited === undefined) child.kill(signal);
    const status = await child.status;
    await Promise.all(reading);
    return status.code;
  };
  return {
    facts: (await read())!,
    stdout: () => text.stdout,
    ready: read,
    end,
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      await Deno.remove(folder, { recursive: true });
    },
  };
}
