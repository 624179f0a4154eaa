import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { ByteListener, ByteNetwork, ByteStream } from "./byte_stream.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

/** Most streams of one listener. */
const mostStreams = 256;

/** `host:port` in its parts, `[::1]:80` too; nothing where it is none. Port 0 to 65535. */
export function splitAddress(address: string): { hostname: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  return match === null || port > 65_535 ? undefined : { hostname: match[1] ?? match[2], port };
}

/** Byte streams over TCP. */
export class TcpNetwork implements ByteNetwork {
  readonly #parts: { readonly clock: Clock; readonly log: Log };

  constructor(parts: { readonly clock: Clock; readonly log: Log }) {
    this.#parts = parts;
  }

  listen(
    address: string,
    serve: (stream: ByteStream) => Promise<void>,
  ): Promise<Result<ByteListener>> {
    const place = splitAddress(address);
    const wrong = (why: string) =>
      fail("internal", `Cannot listen on ${address}: ${why}; name another HOST:PORT`);
    if (place === undefined) return Promise.resolve(wrong("it is no HOST:PORT"));
    try {
      const listener = Deno.listen({ transport: "tcp", ...place });
      return Promise.resolve(ok(new TcpListener(listener, { serve, log: this.#parts.log })));
    } catch (error) {
      return Promise.resolve(wrong((error as Error).message));
    }
  }

  async connect(address: string, timeoutMs: number): Promise<Result<ByteStream>> {
    const place = splitAddress(address);
    if (place === undefined) return fail("no_responders", `Cannot reach ${address}: no HOST:PORT`);
    const late = Promise.withResolvers<undefined>();
    using _ = this.#parts.clock.timer(timeoutMs, () => late.resolve(undefined));
    let isLate = false;
    const connecting = Deno.connect({ transport: "tcp", ...place }).then((connection) => {
      if (isLate) connection.close();
      return connection;
    });
    // Whoever loses the race may still fail: nobody waits for it then.
    connecting.catch(() => undefined);
    try {
      const connection = await Promise.race([connecting, late.promise]);
      if (connection !== undefined) return ok(new TcpStream(connection));
      isLate = true;
      return fail("no_responders", `Cannot reach ${address}: no answer in ${timeoutMs} ms`);
    } catch (error) {
      return fail("no_responders", `Cannot reach ${address}: ${(error as Error).message}`);
    }
  }
}

class TcpListener implements ByteListener {
  readonly address: string;
  readonly #listener: Deno.TcpListener;
  readonly #streams = new Map<TcpStream, Promise<void>>();
  readonly #accepting: Promise<void>;
  #isClosed = false;

  constructor(
    listener: Deno.TcpListener,
    parts: { readonly serve: (stream: ByteStream) => Promise<void>; readonly log: Log },
  ) {
    this.#listener = listener;
    this.address = addressText(listener.addr);
    this.#accepting = this.#accept(parts);
  }

  /** Takes no more, ends all streams and waits for who serves them. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) this.#listener.close();
    this.#isClosed = true;
    for (const stream of this.#streams.keys()) stream.close();
    await this.#accepting;
    await Promise.all(this.#streams.values());
  }

  async #accept(
    { serve, log }: { serve: (stream: ByteStream) => Promise<void>; log: Log },
  ): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        const stream = new TcpStream(connection);
        if (this.#streams.size >= mostStreams) {
          stream.close();
          continue;
        }
        const serving = serve(stream)
          .catch((error) => log.warn("connection ended by an error", { error }))
          .finally(() => {
            stream.close();
            this.#streams.delete(stream);
          });
        this.#streams.set(stream, serving);
      }
    } catch (error) {
      log.debug("listener ended", { error });
    }
  }
}

class TcpStream implements ByteStream {
  readonly peer: string;
  readonly #connection: Deno.TcpConn;
  #isClosed = false;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.peer = addressText(connection.remoteAddr);
    // Without it a small message waits for the acknowledgement of the one before, up to 40 ms.
    connection.setNoDelay(true);
  }

  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    try {
      return await this.#connection.read(into);
    } catch {
      // Closed by us while reading, or reset by the other end: both are the end.
      return null;
    }
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.byteLength;) {
        at += await this.#connection.write(at === 0 ? bytes : bytes.subarray(at));
      }
      return true;
    } catch {
      // As for reads.
      return false;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function addressText({ hostname, port }: Deno.NetAddr): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
