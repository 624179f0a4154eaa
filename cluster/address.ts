import { fail, ok, type Result } from "@pixii/wire";

/** A port that can be listened on now: the given one, or any free one for 0. Fails where it is taken or not allowed. */
export function freePort(host: string, port: number): Result<number> {
  try {
    using listener = Deno.listen({ hostname: host, port, transport: "tcp" });
    return ok(listener.addr.port);
  } catch (error) {
    const reason = error instanceof Deno.errors.AddrInUse
      ? "it is taken"
      : error instanceof Error
      ? error.message
      : String(error);
    return fail(
      "internal",
      `Cannot listen on ${host}:${port}: ${reason}; choose another with --port, or 0 for any`,
    );
  }
}

/** Base URL that reaches a listener from this machine. */
export function urlOf(host: string, port: number): string {
  const near = host === "0.0.0.0" ? "127.0.0.1" : host === "::" || host === "[::]" ? "::1" : host;
  return `http://${near.includes(":") && !near.startsWith("[") ? `[${near}]` : near}:${port}`;
}

/** HOST:PORT as Deno's permission flags write it. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127\./.test(host);
}
