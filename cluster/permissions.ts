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
  /** Paths that it writes: caches. */
  readonly write?: readonly string[];
}

/**
 * The one table of Deno permissions. A program with `ffi` is not bound by the rest (native code may do anything its user
 * may): the operating system has to bind it. All read the environment whole, because a misspelt variable is looked for, and
 * the etcd client reads its protocol files.
 */
const table: Readonly<Record<ServiceName, { readonly ffi: boolean; readonly anyNet: boolean }>> = {
  frontend: { ffi: false, anyNet: false },
  router: { ffi: false, anyNet: false },
  planner: { ffi: false, anyNet: false },
  // Fetches blocks from any peer and loads native libraries from the package cache.
  worker: { ffi: true, anyNet: true },
  kvbm: { ffi: true, anyNet: true },
};

/** Deno's flags for a service with this config; never a prompt. */
export function permissionFlags(service: ServiceName, needs: PermissionNeeds): string[] {
  const { ffi, anyNet } = table[service];
  const flags = ["--no-prompt", "--allow-env", "--allow-sys=hostname,osRelease,networkInterfaces"];
  const sockets = [needs.nats, needs.etcd].flatMap((url) =>
    url.startsWith("unix:") ? [url.slice("unix:".length)] : []
  );
  if (ffi) {
    flags.push("--allow-ffi", "--allow-net", "--allow-read");
    flags.push(...allow("write", [...sockets, ...needs.write ?? []]));
    return flags;
  }
  const hosts = [needs.nats, needs.etcd].flatMap((url) =>
    url.startsWith("unix:") ? [url] : [hostOf(url)]
  );
  const net = [...hosts, needs.admin ?? "127.0.0.1:0", ...needs.listen ?? []];
  flags.push(...(anyNet ? ["--allow-net"] : allow("net", net)));
  flags.push(...allow("read", [...packageFolders(), ...sockets, ...needs.read ?? []]));
  flags.push(...allow("write", [...sockets, ...needs.write ?? []]));
  return flags;
}

/** Deno's flags where a service is started by hand and its servers are not known yet. */
export function standaloneFlags(service: ServiceName): string[] {
  const { ffi } = table[service];
  const flags = ["--no-prompt", "--allow-env", "--allow-sys=hostname,osRelease,networkInterfaces"];
  if (ffi) return [...flags, "--allow-ffi", "--allow-net", "--allow-read", "--allow-write"];
  return [...flags, "--allow-net", "--allow-read"];
}

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
  return [denoFolder(), new URL("..", import.meta.url).pathname];
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
