import { lookup } from "node:dns/promises";
import { checkOptions, errors, extractProtocolMessage, INFO } from "@nats-io/nats-core/internal";
import type { ConnectionOptions, Server, ServerInfo, Transport } from "@nats-io/nats-core/internal";
import { joinBytes } from "@pixii/wire";
import { ByteSlab } from "./byte_slab.ts";

/** A read has room for at least so many bytes. */
const readBytes = 32 * 1024;
/** Most bytes before the server's first line has ended. */
const mostGreeting = 64 * 1024;

/** Addresses of a host's name. */
export async function addressesOf(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true });
  return found.length === 0 ? [name] : found.map(({ address }) => address);
}

/**
 * The client's connection to a NATS server over Deno's own sockets. Those of `node:net` read into a new buffer of 64 KiB
 * each time, and Deno keeps up to 256 of these for good; here what comes is read into large buffers, one after the other.
 */
export class NatsTransport implements Transport {
  readonly lang = "deno";
  readonly version = Deno.version.deno;
  closeError?: Error;
  readonly #closed = Promise.withResolvers<void | Error>();
  readonly #slab = new ByteSlab();
  #connection: Deno.TcpConn | Deno.TlsConn | undefined;
  #greeting: Uint8Array | undefined;
  #isEncrypted = false;
  #isConnected = false;
  #isDone = false;
  #outgoing: Uint8Array[] = [];
  #isWriting = false;

  get isClosed(): boolean {
    return this.#isDone;
  }

  /** Dials, reads the server's first line and encrypts where one of both wants that. Rejects where any of it fails. */
  async connect(server: Server, options: ConnectionOptions): Promise<void> {
    try {
      await this.#dial(server, options);
    } catch (error) {
      this.#hangUp();
      const refused = error instanceof Deno.errors.ConnectionRefused;
      throw refused ? new errors.ConnectionError("connection refused", { cause: error }) : error;
    }
    if (this.#isDone) this.#hangUp();
    else this.#isConnected = true;
  }

  isEncrypted(): boolean {
    return this.#isEncrypted;
  }

  /** Sends a frame, in the order of the calls; nothing says when it has left. */
  send(frame: Uint8Array): void {
    if (this.#isDone) return;
    this.#outgoing.push(frame);
    if (!this.#isWriting) void this.#write();
  }

  /** What the server sends, until either side hangs up. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    if (this.#greeting !== undefined) yield this.#greeting;
    this.#greeting = undefined;
    while (!this.#isDone) {
      const part = await this.#read();
      if (part === undefined) break;
      yield part;
    }
    this.#end(this.closeError);
  }

  close(error?: Error): Promise<void> {
    this.#end(error);
    return Promise.resolve();
  }

  disconnect(): void {
    this.#end(undefined);
  }

  /** Resolves once a connection that stood has ended. */
  closed(): Promise<void | Error> {
    return this.#closed.promise;
  }

  /** Hangs up without a word to who waits for `closed()`. */
  discard(): void {
    this.#isDone = true;
    this.#hangUp();
  }

  async #dial(server: Server, options: ConnectionOptions): Promise<void> {
    const { hostname, port, tlsName } = server;
    const plain = await Deno.connect({ hostname, port });
    this.#connection = plain;
    if (this.#isDone) throw new Error("given up while it was dialled");
    plain.setNoDelay(true);
    const info = await this.#greet();
    checkOptions(info, options);
    const isWished = info.tls_available === true && options.tls !== null;
    if (info.tls_required !== true && !isWished) return;
    const encrypted = await Deno.startTls(plain, { hostname: tlsName || hostname });
    this.#connection = encrypted;
    // Else a certificate that nobody trusts shows with the first read only.
    await encrypted.handshake();
    this.#isEncrypted = true;
  }

  /** The server's first line; its bytes go to the reader as they came. */
  async #greet(): Promise<ServerInfo> {
    let bytes = new Uint8Array(0);
    while (bytes.length < mostGreeting) {
      const part = await this.#read();
      if (part === undefined) throw this.closeError ?? new Error("the server hung up");
      bytes = joinBytes([bytes, part]);
      const line = extractProtocolMessage(bytes);
      if (line === "") continue;
      const info = INFO.exec(line);
      if (info === null) break;
      this.#greeting = bytes;
      return JSON.parse(info[1]) as ServerInfo;
    }
    throw new Error("what answers there is no NATS server");
  }

  /** The next bytes, or nothing where the connection has ended; then `closeError` says what went wrong, if anything did. */
  async #read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const room = this.#slab.room(readBytes);
      const length = await this.#connection?.read(room) ?? null;
      if (length === null) return undefined;
      this.#slab.use(length);
      return room.subarray(0, length);
    } catch (error) {
      // Whoever hangs up ends the read with an error, too.
      if (!this.#isDone) this.closeError = error as Error;
      return undefined;
    }
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#outgoing.length > 0 && this.#connection !== undefined) {
        const frame = joinBytes(this.#outgoing);
        this.#outgoing = [];
        for (let at = 0; at < frame.length;) {
          at += await this.#connection.write(frame.subarray(at));
        }
      }
    } catch {
      // The reader meets the same end, or the missing heartbeat tells.
    } finally {
      this.#isWriting = false;
    }
  }

  #end(error: Error | undefined): void {
    const stood = this.#isConnected && !this.#isDone;
    this.#isDone = true;
    if (error !== undefined) this.closeError = error;
    this.#hangUp();
    if (stood) this.#closed.resolve(this.closeError);
  }

  #hangUp(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#outgoing = [];
    try {
      connection?.close();
    } catch (error) {
      // Closed before, by the other side's end.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
