import { fail, ok } from "@pixii/wire";
import type { Failure, Result } from "@pixii/wire";
import type { MemoryBus, MemoryHub } from "./bus_memory.ts";
import type { Subscription } from "./bus.ts";
import type { Clock } from "./clock.ts";
import { FrameSocket } from "./frame_socket.ts";
import type { Frame } from "./frame_socket.ts";
import type { Log } from "./log.ts";
import type { Registration } from "./registry.ts";
import type { MemoryRegistry, MemoryRegistryHub } from "./registry_memory.ts";
import { failureBytes, readFailure, ReplyFailure } from "./request_handler.ts";
import {
  bytesText,
  frameKinds,
  nothing,
  splitNumber,
  textBytes,
  withNumber,
} from "./socket_protocol.ts";
import { isPattern, isSubject } from "./subject.ts";

/** What a socket hub serves, and where. */
export interface SocketHubOptions {
  /** Path of the Unix socket; loopback TCP on a free port where the system has none (Windows). */
  readonly path: string;
  readonly bus: MemoryHub;
  readonly registry: MemoryRegistryHub;
  readonly clock: Clock;
  readonly log: Log;
}

/** Most programs that may be connected at once. */
const maxConnections = 1_024;

/** Serves a program's in-memory bus and registry to other processes of the host. */
export class SocketHub implements AsyncDisposable {
  /** What clients pass to `--nats` and `--etcd`. */
  readonly url: string;
  readonly #listener: Deno.Listener;
  readonly #options: SocketHubOptions;
  readonly #sockets = new Set<FrameSocket>();
  readonly #accepting: Promise<void>;

  private constructor(listener: Deno.Listener, url: string, options: SocketHubOptions) {
    this.#listener = listener;
    this.url = url;
    this.#options = options;
    this.#accepting = this.#accept();
  }

  /** Starts to listen; throws what the system says where it cannot. */
  static open(options: SocketHubOptions): SocketHub {
    if (Deno.build.os === "windows") {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      return new SocketHub(listener, `tcp://127.0.0.1:${listener.addr.port}`, options);
    }
    const listener = Deno.listen({ transport: "unix", path: options.path });
    return new SocketHub(listener, `unix:${options.path}`, options);
  }

  /** Cuts all connections, as a crash does; clients connect again. For tests. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.dropAll();
    await this.#accepting;
    if (this.url.startsWith("unix:")) await Deno.remove(this.#options.path).catch(ignoreMissing);
  }

  async #accept(): Promise<void> {
    const { log } = this.#options;
    try {
      for await (const connection of this.#listener) {
        const socket = new FrameSocket(connection, log);
        if (this.#sockets.size >= maxConnections) socket.close();
        else void this.#serve(socket);
      }
    } catch (error) {
      log.debug("listener ended", { error });
    }
  }

  async #serve(socket: FrameSocket): Promise<void> {
    const { log } = this.#options;
    this.#sockets.add(socket);
    try {
      const frames = socket.frames();
      const hello = await frames.next();
      if (hello.done) return;
      await using session = this.#session(hello.value.kind, socket);
      if (session === undefined) return log.warn("unknown greeting", { kind: hello.value.kind });
      for await (const frame of frames) session.take(frame);
    } catch (error) {
      log.warn("connection ended by an error", { error });
    } finally {
      socket.close();
      this.#sockets.delete(socket);
    }
  }

  #session(kind: number, socket: FrameSocket): Session | undefined {
    const { bus, registry, log } = this.#options;
    if (kind === frameKinds.helloBus) return new BusSession(bus.connect(), socket);
    if (kind === frameKinds.helloRegistry) {
      return new RegistrySession(registry.connect(), socket, log);
    }
    return undefined;
  }
}

/** One client. Throws on a frame that breaks the protocol, which ends the connection. */
interface Session extends AsyncDisposable {
  take(frame: Frame): void;
}

class BusSession implements Session {
  readonly #bus: MemoryBus;
  readonly #socket: FrameSocket;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #calls = new Map<number, (result: Result<Uint8Array>) => void>();
  #made = 0;

  constructor(bus: MemoryBus, socket: FrameSocket) {
    this.#bus = bus;
    this.#socket = socket;
  }

  take(frame: Frame): void {
    switch (frame.kind) {
      case frameKinds.publish:
        return void this.#bus.publish(subjectOf(frame), frame.payload);
      case frameKinds.request:
        return this.#request(frame);
      case frameKinds.subscribe:
      case frameKinds.serve:
        return this.#join(frame);
      case frameKinds.unsubscribe:
        this.#subscriptions.get(frame.id)?.[Symbol.dispose]();
        return void this.#subscriptions.delete(frame.id);
      case frameKinds.flush:
        return void this.#bus.flush().then((done) => {
          answerTo(this.#socket, frame.id, done.ok ? ok(nothing) : done);
        });
      case frameKinds.answer:
        return this.#calls.get(frame.id)?.(ok(frame.payload));
      case frameKinds.answerFailed:
        return this.#calls.get(frame.id)?.(readFailure(frame.payload));
      default:
        throw new TypeError(`a bus client sent a frame of kind ${frame.kind}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Who waits for an answer of this program would otherwise wait until its timeout.
    for (const settle of [...this.#calls.values()]) {
      settle(fail("no_responders", "The program that served this request is gone"));
    }
    await this.#bus[Symbol.asyncDispose]();
  }

  #request(frame: Frame): void {
    const parts = splitNumber(frame.payload);
    if (parts === undefined) throw new TypeError("a request without its longest wait");
    const [timeoutMs, payload] = parts;
    void this.#bus.request(subjectOf(frame), payload, { timeoutMs })
      .then((result) => answerTo(this.#socket, frame.id, result));
  }

  #join({ kind, id, name, payload }: Frame): void {
    if (!isPattern(name)) throw new TypeError("a subscription to what is no subject");
    const options = payload.length === 0 ? {} : { queue: bytesText(payload) };
    const subscription = kind === frameKinds.serve
      ? this.#bus.serve(name, (bytes, { subject }) => this.#call(id, subject, bytes), options)
      : this.#bus.subscribe(name, (message) => {
        this.#socket.send(frameKinds.message, id, message.subject, message.payload);
      }, options);
    this.#subscriptions.get(id)?.[Symbol.dispose]();
    this.#subscriptions.set(id, subscription);
  }

  #call(id: number, subject: string, bytes: Uint8Array): Promise<Uint8Array> {
    const number = this.#made = (this.#made + 1) >>> 0;
    return new Promise((resolve, reject) => {
      const settle = (result: Result<Uint8Array>) => {
        this.#calls.delete(number);
        if (result.ok) resolve(result.value);
        else reject(new ReplyFailure(result.error));
      };
      this.#calls.set(number, settle);
      const sent = this.#socket.send(frameKinds.call, id, subject, withNumber(number, bytes));
      if (!sent) settle(fail("no_responders", "The program that served this request is gone"));
    });
  }
}

class RegistrySession implements Session {
  readonly #registry: MemoryRegistry;
  readonly #socket: FrameSocket;
  readonly #log: Log;
  readonly #registered = new Map<string, Registration>();
  readonly #watches = new Map<number, Disposable>();

  constructor(registry: MemoryRegistry, socket: FrameSocket, log: Log) {
    this.#registry = registry;
    this.#socket = socket;
    this.#log = log;
  }

  take(frame: Frame): void {
    if (frame.kind === frameKinds.watch) return void this.#watch(frame);
    if (frame.kind === frameKinds.unwatch) {
      this.#watches.get(frame.id)?.[Symbol.dispose]();
      return void this.#watches.delete(frame.id);
    }
    void this.#call(frame).then(
      (result) => answerTo(this.#socket, frame.id, result),
      (error) => {
        this.#log.warn("registry client broke the protocol", { error });
        this.#socket.close();
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#registry[Symbol.asyncDispose]();
  }

  async #call({ kind, name, payload }: Frame): Promise<Result<Uint8Array>> {
    switch (kind) {
      case frameKinds.register: {
        const registered = await this.#registry.register(name, bytesText(payload));
        if (registered.ok) this.#registered.set(name, registered.value);
        return empty(registered);
      }
      case frameKinds.update:
        return empty(await this.#registered.get(name)?.update(bytesText(payload)) ?? ok(undefined));
      case frameKinds.unregister:
        await this.#registered.get(name)?.[Symbol.asyncDispose]();
        this.#registered.delete(name);
        return ok(nothing);
      case frameKinds.list: {
        const listed = await this.#registry.list(name);
        return listed.ok ? ok(textBytes(JSON.stringify(listed.value))) : listed;
      }
      case frameKinds.put: {
        const [ttlMs, value] = splitNumber(payload) ?? [0, payload];
        const options = ttlMs === 0 ? {} : { ttlMs };
        return empty(await this.#registry.put(name, bytesText(value), options));
      }
      case frameKinds.claim: {
        const [ttlMs, value] = splitNumber(payload) ?? [0, payload];
        const claimed = await this.#registry.claim(name, bytesText(value), { ttlMs });
        return claimed.ok ? ok(new Uint8Array([claimed.value ? 1 : 0])) : claimed;
      }
      case frameKinds.remove:
        return empty(await this.#registry.remove(name));
      default:
        throw new TypeError(`a registry client sent a frame of kind ${kind}`);
    }
  }

  async #watch({ id, name }: Frame): Promise<void> {
    const tell = (kind: number, what: unknown) => {
      this.#socket.send(kind, id, "", textBytes(JSON.stringify(what)));
    };
    const watched = await this.#registry.watch(name, {
      snapshot: (entries) => tell(frameKinds.snapshot, entries),
      change: (change) => tell(frameKinds.change, change),
    });
    if (watched.ok) this.#watches.set(id, watched.value);
  }
}

function answerTo(socket: FrameSocket, id: number, result: Result<Uint8Array>): void {
  if (result.ok) socket.send(frameKinds.result, id, "", result.value);
  else socket.send(frameKinds.resultFailed, id, "", failureBytes(result.error));
}

function empty(result: { ok: true } | { ok: false; error: Failure }): Result<Uint8Array> {
  return result.ok ? ok(nothing) : result;
}

function subjectOf({ name }: Frame): string {
  if (!isSubject(name)) throw new TypeError("a message to what is no subject");
  return name;
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
