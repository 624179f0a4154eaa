import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { FrameSocket } from "./frame_socket.ts";
import type { Log } from "./log.ts";

/** Most connections of one server. */
const mostConnections = 1_024;

/** What a local server is started with. */
export interface LocalServerParts {
  /** Path of the Unix socket; at most about 100 bytes. */
  readonly path: string;
  readonly log: Log;
  /** Serves one connection; it is closed when this ends. */
  readonly serve: (socket: FrameSocket) => Promise<void>;
}

/** Serves frames to other processes of the host on a Unix socket. */
export class LocalFrameServer implements AsyncDisposable {
  readonly #listener: Deno.Listener;
  readonly #parts: LocalServerParts;
  readonly #sockets = new Map<FrameSocket, Promise<void>>();
  readonly #accepting: Promise<void>;

  private constructor(listener: Deno.Listener, parts: LocalServerParts) {
    this.#listener = listener;
    this.#parts = parts;
    this.#accepting = this.#accept();
  }

  /** Listens; takes the path over where it was left behind by a program that nobody answers for any more. */
  static async open(parts: LocalServerParts): Promise<Result<LocalFrameServer>> {
    const { path } = parts;
    const first = listenOn(path);
    if (first.ok) return ok(new LocalFrameServer(first.value, parts));
    if (first.error.code !== "overloaded") return first;
    const other = await connectLocal(path, parts.log);
    if (other.ok) {
      other.value.close();
      return fail("internal", `Cannot listen on ${path}: another program does; name another path`);
    }
    await removeSocket(path);
    const second = listenOn(path);
    return second.ok ? ok(new LocalFrameServer(second.value, parts)) : second;
  }

  /** Closes all connections, waits for their `serve` to end and removes the path. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const socket of this.#sockets.keys()) socket.close();
    await this.#accepting;
    await Promise.all(this.#sockets.values());
    await removeSocket(this.#parts.path);
  }

  async #accept(): Promise<void> {
    const { log } = this.#parts;
    try {
      for await (const connection of this.#listener) {
        const socket = new FrameSocket(connection, log);
        if (this.#sockets.size >= mostConnections) socket.close();
        else this.#sockets.set(socket, this.#serve(socket));
      }
    } catch (error) {
      log.debug("listener ended", { error });
    }
  }

  async #serve(socket: FrameSocket): Promise<void> {
    try {
      await this.#parts.serve(socket);
    } catch (error) {
      this.#parts.log.warn("connection ended by an error", { error });
    } finally {
      socket.close();
      this.#sockets.delete(socket);
    }
  }
}

/** Connects to a local server; `no_responders` where none listens. */
export async function connectLocal(path: string, log: Log): Promise<Result<FrameSocket>> {
  try {
    return ok(new FrameSocket(await Deno.connect({ transport: "unix", path }), log));
  } catch (error) {
    return fail("no_responders", `Cannot connect to ${path}: ${(error as Error).message}`);
  }
}

function listenOn(path: string): Result<Deno.Listener> {
  try {
    return ok(Deno.listen({ transport: "unix", path }));
  } catch (error) {
    const code = error instanceof Deno.errors.AddrInUse ? "overloaded" : "internal";
    return fail(code, `Cannot listen on ${path}: ${(error as Error).message}; name another path`);
  }
}

async function removeSocket(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Where programs keep files that need not outlive them. */
export function temporaryFolder(): string {
  return Deno.env.get("TMPDIR")?.replace(/\/+$/, "") || "/tmp";
}

/**
 * The machine's name: what runs under one name shares memory and sockets. `PIXII_HOST` says another one, where containers
 * of one machine share neither, or a test wants two hosts on one machine.
 */
export function hostName(): string {
  return Deno.env.get("PIXII_HOST") || Deno.hostname();
}
