import { ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { RequestOptions } from "./bus.ts";
import { sent, StatusSource } from "./bus_status.ts";
import type { Clock } from "./clock.ts";
import { FrameSocket } from "./frame_socket.ts";
import type { Frame } from "./frame_socket.ts";
import type { Log } from "./log.ts";
import { PendingRequests } from "./pending_requests.ts";
import { readFailure } from "./request_handler.ts";
import type { ServerAddress } from "./server_url.ts";
import { frameKinds, nothing } from "./socket_protocol.ts";

/** Pause between two attempts to reach the hub again, in ms. */
const reconnectEveryMs = 100;

/** What a client of a socket hub is made of. */
export interface SocketParts {
  readonly clock: Clock;
  readonly log: Log;
}

/** What the owner of a link does with it. */
export interface LinkUser {
  /** First frame of each connection. */
  readonly hello: number;
  /** The connection is there (again): send what the hub must know. */
  onConnect(): void;
  /** A frame that is no result. */
  onFrame(frame: Frame): void;
  /** The error code while there is no connection. */
  readonly downCode: "bus_unavailable" | "registry_unavailable";
}

/** A client's connection to a socket hub: numbered requests, and reconnecting for ever. */
export class SocketLink {
  readonly status: StatusSource;
  readonly pending: PendingRequests;
  readonly #address: ServerAddress;
  readonly #parts: SocketParts;
  readonly #ended = new AbortController();
  #user: LinkUser | undefined;
  #socket: FrameSocket;
  #running: Promise<void> = Promise.resolve();

  private constructor(address: ServerAddress, parts: SocketParts, first: FrameSocket) {
    this.#address = address;
    this.#parts = parts;
    this.#socket = first;
    this.status = new StatusSource(parts.log);
    this.pending = new PendingRequests(parts.clock);
  }

  /** Connects once; throws what the system says where nobody listens. */
  static async open(address: ServerAddress, parts: SocketParts): Promise<SocketLink> {
    return new SocketLink(address, parts, new FrameSocket(await dial(address), parts.log));
  }

  /** Starts to read; called once by the owner. */
  start(user: LinkUser): void {
    this.#user = user;
    this.#greet();
    this.#running = this.#run();
  }

  /** Sends a frame; false while disconnected. */
  send(kind: number, id: number, name: string, payload: Uint8Array): boolean {
    return this.status.status === "connected" && this.#socket.send(kind, id, name, payload);
  }

  /** Sends a frame and waits for its result. `payload` may need the number of the request. */
  ask(
    kind: number,
    name: string,
    payload: Uint8Array,
    options: RequestOptions,
  ): Promise<Result<Uint8Array>> {
    return this.pending.start(name, options, (id) => {
      return this.send(kind, id, name, payload) ? sent : this.#down(name);
    });
  }

  /** Hands over what was sent and closes. */
  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    await this.#socket.drained();
    this.#ended.abort();
    this.#socket.close();
    this.#lost();
    await this.#running;
  }

  #down(name: string): Result<never> {
    const message =
      `Cannot send to ${name}: not connected to the program that serves it; try again`;
    return { ok: false, error: { code: this.#user!.downCode, message } };
  }

  #greet(): void {
    this.#socket.send(this.#user!.hello, 0, "", nothing);
    this.status.set("connected");
    this.#user!.onConnect();
  }

  #lost(): void {
    this.status.set("disconnected");
    this.pending.failAll(this.#user?.downCode ?? "bus_unavailable", "The connection was lost");
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      for await (const frame of this.#socket.frames()) this.#take(frame);
      this.#lost();
      if (!await this.#redial()) return;
      this.#parts.log.info("connected again");
      this.#greet();
    }
  }

  /** False when the link was closed while trying. */
  async #redial(): Promise<boolean> {
    const { clock, log } = this.#parts;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        const connection = await dial(this.#address);
        this.#socket = new FrameSocket(connection, log);
        if (!signal.aborted) return true;
        this.#socket.close();
      } catch (error) {
        log.trace("not there yet", { error });
        await clock.sleep(reconnectEveryMs, signal).catch(() => undefined);
      }
    }
    return false;
  }

  #take(frame: Frame): void {
    if (frame.kind === frameKinds.result) this.pending.settle(frame.id, ok(frame.payload));
    else if (frame.kind === frameKinds.resultFailed) {
      this.pending.settle(frame.id, readFailure(frame.payload));
    } else this.#user!.onFrame(frame);
  }
}

function dial(address: ServerAddress): Promise<Deno.Conn> {
  if (address.kind === "unix") return Deno.connect({ transport: "unix", path: address.path });
  return Deno.connect({ hostname: address.url.hostname, port: Number(address.url.port) });
}
