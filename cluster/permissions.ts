import { fileURLToPath } from "node:url";
import type { ServiceName } from "@pixii/wire";

/** What a program's permissions depend on. */
export interface PermissionNeeds {
  /** Where the message bus is: `nats://HOST:PORT` or `unix:/PATH`. */
  readonly nats: string;
  /** Where the registry is: `http://HOST:PORT` or `unix:/PATH`. */
  readonly etcd: string;
  /** HOST:PORT pairs it listens on besides its admin port. */
  readonly listen?: readonly string[];
  /** HOST:PORT of the admin port; `127.0.0.1:0` if left out. */
  readonly admin?: string;
  /** Paths that it reads: the model, a config file. */
  readonly read?: readonly string[];
  /** Where packages and this repository are; the launcher's own without it. */
  readonly packages?: readonly string[];
  /** Paths that it writes: caches. */
  readonly write?: readonly string[];
}

/**
 * The one table of Deno permissions. A program with `ffi` is not bound by the rest (native code may do anything its user
 * may): the operating system has to bind it, so it is given the net, the environment and all reads as they are.
 */
const table: Readonly<Record<ServiceName, { readonly ffi: boolean }>> = {
  frontend: { ffi: false },
  router: { ffi: false },
  planner: { ffi: false },
  worker: { ffi: true },
  kvbm: { ffi: true },
};

/**
 * What a service's memory allocator is told; glibc reads it at the start, others pass it over. Frontends take and give back
 * buffers of hundreds of kilobytes with every long prompt: given back to the system at once, a third less memory is held.
 * One arena for all threads leaves no free space in the others.
 */
export function allocatorVariables(service: ServiceName): Readonly<Record<string, string>> {
  return service === "frontend" ? { MALLOC_TRIM_THRESHOLD_: "131072", MALLOC_ARENA_MAX: "1" } : {};
}

/** Variables of a bound program: its options, and what the codec, the etcd client and the log writer look at. */
const variables = [
  ...[
    "PIXII_*",
    "MSGPACKR_*",
    "OTEL_*",
    "GRPC_*",
    "grpc_proxy",
    "no_grpc_proxy",
    "http_proxy",
    "https_proxy",
  ],
  ...["no_proxy", "NODE_*", "CI", "TZ", "NO_COLOR", "FORCE_COLOR", "TERM", "COLORTERM"],
];

/** What an instance record and the process metrics ask of the system. */
const systemFacts = ["hostname"];

/** Deno's flags for a service with this config; never a prompt. */
export function permissionFlags(service: ServiceName, needs: PermissionNeeds): string[] {
  const sockets = [needs.nats, needs.etcd].flatMap((url) =>
    url.startsWith("unix:") ? [url.slice("unix:".length)] : []
  );
  const write = allow("write", [...sockets, ...needs.write ?? []]);
  if (table[service].ffi) return [...unboundFlags, ...write];
  const hosts = [needs.nats, needs.etcd].map((url) => url.startsWith("unix:") ? url : hostOf(url));
  return [
    ...boundFlags,
    ...allow("net", [...hosts, needs.admin ?? "127.0.0.1:0", ...needs.listen ?? []]),
    ...allow("read", [...needs.packages ?? packageFolders(), ...sockets, ...needs.read ?? []]),
    ...write,
  ];
}

/** Deno's flags where a service is started by hand and its servers are not known yet: any host, any file to read. */
export function standaloneFlags(service: ServiceName): string[] {
  if (table[service].ffi) return [...unboundFlags, "--allow-write"];
  return [...boundFlags, "--allow-net", "--allow-read"];
}

const boundFlags = ["--no-prompt", ...allow("env", variables), ...allow("sys", systemFacts)];
const unboundFlags = [
  ...["--no-prompt", "--allow-ffi", "--allow-net", "--allow-read", "--allow-env", "--allow-sys"],
];

/** HOST:PORT of a server's URL, with the default port of its scheme. */
export function hostOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  const known: Readonly<Record<string, string>> = {
    "nats:": "4222",
    "tls:": "4222",
    "http:": "80",
    "https:": "443",
  };
  return `${hostname}:${port || known[protocol] || "0"}`;
}

/** Where packages may read their own files: Deno's cache and this repository. */
function packageFolders(): string[] {
  return [denoFolder(), fileURLToPath(new URL("..", import.meta.url))];
}

function denoFolder(): string {
  const set = Deno.env.get("DENO_DIR");
  if (set) return set;
  const home = Deno.env.get("HOME") ?? "";
  if (Deno.build.os === "darwin") return `${home}/Library/Caches/deno`;
  return `${Deno.env.get("XDG_CACHE_HOME") || `${home}/.cache`}/deno`;
}

function allow(what: string, values: readonly string[]): string[] {
  return values.length === 0 ? [] : [`--allow-${what}=${[...new Set(values)].join(",")}`];
}
