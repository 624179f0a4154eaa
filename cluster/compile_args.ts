import type { ServiceName } from "@pixii/wire";
import { standaloneFlags } from "./permissions.ts";

/** The member of the house that holds a service's program. */
export function memberOf(service: ServiceName): string {
  return service === "worker" ? "workers" : service;
}

/** Arguments of `deno` that compile a service into `out`/pixii-SERVICE, with the permissions it has when started by hand. */
export function compileArgs(
  service: ServiceName,
  options: { readonly out: string; readonly target?: string },
): string[] {
  const member = memberOf(service);
  return [
    ...["compile", ...standaloneFlags(service), "--output", `${options.out}/pixii-${service}`],
    ...(options.target === undefined ? [] : ["--target", options.target]),
    // Threads are started by URL, which the compiler cannot see.
    ...(service === "worker" ? ["--include", `${member}/llama/thread.ts`] : []),
    // And files are read by path.
    ...(service === "frontend"
      ? [`${member}/tokens/tokenizer_thread.ts`, `${member}/page/assets`].flatMap((path) => [
        ...["--include", path],
      ])
      : []),
    `${member}/main.ts`,
  ];
}
