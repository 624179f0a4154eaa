/** A server under measurement, in a process of its own. */
export interface Child extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** Polls `url` until it answers 200, for at most `withinMs`. Throws with the last state. */
export function untilOk(url: string, withinMs: number): Promise<void> {
  return untilAnswer(url, { matches: /(?:)/, withinMs });
}

/** Polls `url` until it answers 200 with a body that `matches`, for at most `withinMs`. Throws with the last state. */
export async function untilAnswer(
  url: string,
  options: { readonly matches: RegExp; readonly withinMs: number },
): Promise<void> {
  const { matches, withinMs } = options;
  const started = performance.now();
  let last = "no answer yet";
  while (performance.now() - started < withinMs) {
    try {
      const response = await fetch(url);
      const body = await response.text();
      if (response.ok && matches.test(body)) return;
      last = `status ${response.status}: ${body.slice(0, 200)}`;
    } catch (error) {
      last = (error as Error).message;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${url} was not ready within ${withinMs} ms: ${last}`);
}

/** A free loopback port. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** Starts a program that serves on `url`; ended by SIGTERM, then SIGKILL after 10 s. */
export function startChild(
  command: string,
  options: { args: readonly string[]; url: string; env?: Record<string, string> },
): Child {
  const child = new Deno.Command(command, {
    args: [...options.args],
    env: options.env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    url: options.url,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const hard = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await child.status;
      clearTimeout(hard);
    },
  };
}

/** A cluster under measurement. */
export interface Dev extends Child {
  /** From the start of the launcher to its ready file. */
  readonly readyMs: number;
  readonly nats: string;
  readonly etcd: string;
  readonly namespace: string;
  readonly processes: readonly {
    readonly service: string;
    readonly instance: string;
    readonly pid: number;
    readonly admin: string;
  }[];
}

/** Starts `deno task dev`'s program with these flags; resolves when its ready file says so. */
export async function startDev(flags: readonly string[]): Promise<Dev> {
  const folder = await Deno.makeTempDir({ prefix: "pixii-bench-" });
  const ready = `${folder}/ready.json`;
  const main = new URL("../cluster/dev.ts", import.meta.url).pathname;
  const started = performance.now();
  const child = startChild(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, "--port", "0", "--ready-file", ready, ...flags],
    url: "",
  });
  while (true) {
    try {
      const facts = JSON.parse(await Deno.readTextFile(ready));
      const readyMs = performance.now() - started;
      return {
        url: facts.url,
        pid: child.pid,
        readyMs,
        nats: facts.nats,
        etcd: facts.etcd,
        namespace: facts.namespace,
        processes: facts.processes,
        async [Symbol.asyncDispose]() {
          await child[Symbol.asyncDispose]();
          await Deno.remove(folder, { recursive: true });
        },
      };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (performance.now() - started > 120_000) {
      await child[Symbol.asyncDispose]();
      throw new Error(`dev ${flags.join(" ")} was not ready within 120 s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
