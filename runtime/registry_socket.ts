import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { guarded } from "./bus_status.ts";
import type { Frame } from "./frame_socket.ts";
import type { Log } from "./log.ts";
import type {
  Registration,
  Registry,
  RegistryChange,
  RegistryEntry,
  WatchListener,
} from "./registry.ts";
import { checkEntry, checkKey, registryDown, stored } from "./registry_rules.ts";
import type { ServerAddress } from "./server_url.ts";
import { SocketLink } from "./socket_link.ts";
import type { SocketParts } from "./socket_link.ts";
import { bytesText, frameKinds, nothing, textBytes, withNumber } from "./socket_protocol.ts";

/** Longest wait for the hub's answer, in ms. */
const callMs = 5_000;

/** Connects to a socket hub's registry; `registry_unavailable` where nobody listens. */
export async function connectSocketRegistry(
  address: ServerAddress,
  parts: SocketParts,
): Promise<Result<Registry>> {
  try {
    return ok(new SocketRegistry(await SocketLink.open(address, parts), parts.log));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail("registry_unavailable", `Cannot reach the registry on its socket: ${reason}`);
  }
}

/** The registry as seen from another process of the same host. The lease is the connection: it ends with it. */
export class SocketRegistry implements Registry {
  readonly #link: SocketLink;
  readonly #log: Log;
  readonly #registered = new Map<string, { value: string }>();
  readonly #watches = new Map<number, { prefix: string; first(): void; listener: WatchListener }>();
  #made = 0;

  constructor(link: SocketLink, log: Log) {
    this.#link = link;
    this.#log = log;
    link.start({
      hello: frameKinds.helloRegistry,
      downCode: "registry_unavailable",
      onConnect: () => this.#tellAll(),
      onFrame: (frame) => guarded(log, "watch listener", () => this.#told(frame)),
    });
  }

  get status(): "connected" | "disconnected" {
    return this.#link.status.status;
  }

  async register(key: string, value: string): Promise<Result<Registration>> {
    const fits = checkEntry(key, value);
    if (!fits.ok) return fits;
    const put = await this.#ask(frameKinds.register, key, textBytes(value));
    if (!put.ok) return put;
    const record = { value };
    this.#registered.set(key, record);
    return ok({
      key,
      update: async (next) => {
        const nextFits = checkEntry(key, next);
        if (!nextFits.ok) return nextFits;
        record.value = next;
        if (this.status === "disconnected") return registryDown(`update ${key}`);
        if (this.#registered.get(key) !== record) return stored;
        const updated = await this.#ask(frameKinds.update, key, textBytes(next));
        return updated.ok ? stored : updated;
      },
      [Symbol.asyncDispose]: async () => {
        if (this.#registered.get(key) !== record) return;
        this.#registered.delete(key);
        if (this.status === "disconnected") return;
        const gone = await this.#ask(frameKinds.unregister, key, nothing);
        if (!gone.ok) this.#log.debug("not taken out", { key, reason: gone.error.message });
      },
    });
  }

  async list(prefix: string): Promise<Result<readonly RegistryEntry[]>> {
    const listed = await this.#ask(frameKinds.list, prefix, nothing);
    return listed.ok ? ok(JSON.parse(bytesText(listed.value)) as RegistryEntry[]) : listed;
  }

  async put(
    key: string,
    value: string,
    options: { readonly ttlMs?: number } = {},
  ): Promise<Result<void>> {
    const fits = checkEntry(key, value);
    if (!fits.ok) return fits;
    const body = withNumber(Math.ceil(options.ttlMs ?? 0), textBytes(value));
    const put = await this.#ask(frameKinds.put, key, body);
    return put.ok ? stored : put;
  }

  async claim(
    key: string,
    value: string,
    { ttlMs }: { readonly ttlMs: number },
  ): Promise<Result<boolean>> {
    const fits = checkEntry(key, value);
    if (!fits.ok) return fits;
    const body = withNumber(Math.ceil(ttlMs), textBytes(value));
    const claimed = await this.#ask(frameKinds.claim, key, body);
    return claimed.ok ? ok(claimed.value[0] === 1) : claimed;
  }

  async remove(key: string): Promise<Result<void>> {
    checkKey(key);
    const removed = await this.#ask(frameKinds.remove, key, nothing);
    return removed.ok ? stored : removed;
  }

  async watch(prefix: string, listener: WatchListener): Promise<Result<Disposable>> {
    if (this.status === "disconnected") return registryDown(`watch ${prefix}`);
    const id = this.#made = (this.#made + 1) >>> 0;
    const first = Promise.withResolvers<void>();
    this.#watches.set(id, { prefix, listener, first: () => first.resolve() });
    this.#link.send(frameKinds.watch, id, prefix, nothing);
    await first.promise;
    return ok({
      [Symbol.dispose]: () => {
        this.#watches.delete(id);
        this.#link.send(frameKinds.unwatch, id, "", nothing);
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const watch of this.#watches.values()) watch.first();
    this.#watches.clear();
    this.#registered.clear();
    await this.#link.close();
  }

  #ask(kind: number, name: string, payload: Uint8Array): Promise<Result<Uint8Array>> {
    return this.#link.ask(kind, name, payload, { timeoutMs: callMs });
  }

  #tellAll(): void {
    for (const [key, { value }] of this.#registered) {
      void this.#ask(frameKinds.register, key, textBytes(value)).then((put) => {
        if (!put.ok) this.#log.warn("not registered again", { key, reason: put.error.message });
      });
    }
    for (const [id, { prefix }] of this.#watches) {
      this.#link.send(frameKinds.watch, id, prefix, nothing);
    }
  }

  #told(frame: Frame): void {
    const watch = this.#watches.get(frame.id);
    if (watch === undefined) return;
    const told: unknown = JSON.parse(bytesText(frame.payload));
    if (frame.kind === frameKinds.snapshot) {
      watch.listener.snapshot(told as RegistryEntry[]);
      watch.first();
    } else if (frame.kind === frameKinds.change) watch.listener.change(told as RegistryChange);
  }
}
