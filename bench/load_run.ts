import { freePort, startChild, untilOk } from "./child.ts";
import type { Child } from "./child.ts";
import type { LoadCase, LoadResult } from "./load_case.ts";
import type { ServeCase } from "./serve_cases.ts";

/** Where a load goes. */
export interface ServeTarget {
  readonly url: string;
  readonly model: string;
  readonly checkTokens: boolean;
}

/** Runs a case once against a target, in a client process of its own. `share` scales the number of requests. */
export async function loadOnce(
  one: ServeCase,
  target: ServeTarget,
  options: { readonly seed: number; readonly share: number },
): Promise<LoadResult> {
  const { hostname, port } = new URL(target.url);
  const { load } = one;
  const full: LoadCase = {
    ...load,
    host: hostname,
    port: Number(port),
    model: target.model,
    checkTokens: target.checkTokens,
    requests: Math.max(load.concurrency, Math.round(load.requests * options.share)),
    warmup: Math.max(1, Math.round(load.warmup * options.share)),
    seed: options.seed,
  };
  const client = new URL("./load_client.ts", import.meta.url).pathname;
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", client, JSON.stringify(full)],
    stderr: "inherit",
  }).output();
  if (!output.success) throw new Error(`the load client failed on ${one.name} at ${target.url}`);
  return JSON.parse(new TextDecoder().decode(output.stdout));
}

/** Starts the bare server of a case. */
export async function startBare(one: ServeCase): Promise<Child & ServeTarget> {
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const { outputTokens, stream } = one.load;
  const server = new URL("./bare_server.ts", import.meta.url).pathname;
  const kind = stream ? "stream" : "whole";
  const child = startChild(Deno.execPath(), {
    args: ["run", "-A", "--no-check", server, `${port}`, `${outputTokens}`, kind],
    url,
  });
  await untilOk(url, 10_000);
  return { ...child, model: "bench", checkTokens: false };
}
