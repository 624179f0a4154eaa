import { ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { guarded } from "./bus_status.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type {
  Registration,
  Registry,
  RegistryChange,
  RegistryEntry,
  WatchListener,
} from "./registry.ts";
import { byKey, checkEntry, checkKey, leaseTtlMs, registryDown } from "./registry_rules.ts";

interface Stored {
  readonly value: string;
  /** Whose lease the key is under. */
  readonly owner: MemoryRegistry | undefined;
  readonly expiry: Disposable | undefined;
}

interface Watcher {
  readonly view: MemoryRegistry;
  readonly prefix: string;
  readonly listener: WatchListener;
  live: boolean;
}

/** The store of a registry inside one program. */
export class MemoryRegistryHub {
  readonly clock: Clock;
  readonly log: Log;
  readonly #entries = new Map<string, Stored>();
  readonly #watchers = new Set<Watcher>();
  #tasks: (() => void)[] = [];
  #scheduled = false;

  constructor(parts: { readonly clock: Clock; readonly log: Log }) {
    this.clock = parts.clock;
    this.log = parts.log;
  }

  /** A new client of this store, with a lease of its own. */
  connect(): MemoryRegistry {
    return new MemoryRegistry(this);
  }

  /** @internal */
  put(key: string, value: string, owner: MemoryRegistry | undefined, ttlMs?: number): void {
    this.#entries.get(key)?.expiry?.[Symbol.dispose]();
    const expiry = ttlMs === undefined
      ? undefined
      : this.clock.timer(ttlMs, () => this.remove(key));
    this.#entries.set(key, { value, owner, expiry });
    this.#tell({ kind: "put", entry: { key, value } }, key);
  }

  /** @internal */
  claim(key: string, value: string, ttlMs: number): boolean {
    const held = this.#entries.get(key);
    if (held !== undefined && held.value !== value) return false;
    this.put(key, value, undefined, ttlMs);
    return true;
  }

  /** @internal */
  remove(key: string, owner?: MemoryRegistry): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || (owner !== undefined && entry.owner !== owner)) return;
    entry.expiry?.[Symbol.dispose]();
    this.#entries.delete(key);
    this.#tell({ kind: "delete", key }, key);
  }

  /** @internal Removes what is under a view's lease. */
  endLease(owner: MemoryRegistry): void {
    for (const [key, entry] of [...this.#entries]) {
      if (entry.owner === owner) this.remove(key);
    }
  }

  /** @internal */
  list(prefix: string): RegistryEntry[] {
    const found: RegistryEntry[] = [];
    for (const [key, { value }] of this.#entries) {
      if (key.startsWith(prefix)) found.push({ key, value });
    }
    return found.sort(byKey);
  }

  /** @internal The snapshot is of now; changes follow it without a gap. */
  watch(watcher: Watcher): void {
    const entries = this.list(watcher.prefix);
    this.later(() => {
      if (watcher.live) watcher.listener.snapshot(entries);
    });
    this.#watchers.add(watcher);
  }

  /** @internal */
  unwatch(watcher: Watcher): void {
    watcher.live = false;
    this.#watchers.delete(watcher);
  }

  /** @internal Runs `task` after everything that was told before it. */
  later(task: () => void): void {
    this.#tasks.push(task);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const tasks = this.#tasks;
      this.#tasks = [];
      for (const run of tasks) guarded(this.log, "watch listener", run);
    });
  }

  #tell(change: RegistryChange, key: string): void {
    for (const watcher of this.#watchers) {
      if (watcher.view.status === "disconnected" || !key.startsWith(watcher.prefix)) continue;
      this.later(() => {
        if (watcher.live) watcher.listener.change(change);
      });
    }
  }
}

/** One client of a `MemoryRegistryHub`. */
export class MemoryRegistry implements Registry {
  readonly #hub: MemoryRegistryHub;
  readonly #registered = new Map<string, { value: string }>();
  readonly #watchers = new Set<Watcher>();
  #status: Registry["status"] = "connected";
  #lapse: Disposable | undefined;
  #closed = false;

  constructor(hub: MemoryRegistryHub) {
    this.#hub = hub;
  }

  get status(): Registry["status"] {
    return this.#status;
  }

  /** Ends the lease as a registry does that heard nothing; the view notices, takes a new one and registers all again. */
  expire(): void {
    this.#hub.endLease(this);
    if (this.#status === "connected") this.#hub.later(() => this.#registerAll());
  }

  /** Cuts this view off: watchers keep what they have, the lease ends after its time to live. */
  disconnect(): void {
    if (this.#status === "disconnected") return;
    this.#status = "disconnected";
    this.#lapse = this.#hub.clock.timer(leaseTtlMs, () => this.#hub.endLease(this));
  }

  /** Ends this view as the death of its program does: its lease runs out, and nobody on this side is told. */
  cut(): void {
    this.disconnect();
    this.#closed = true;
  }

  /** Brings it back: everything registered again, every watcher gets a new snapshot. */
  reconnect(): void {
    if (this.#status === "connected" || this.#closed) return;
    this.#status = "connected";
    this.#lapse?.[Symbol.dispose]();
    this.#registerAll();
    for (const watcher of this.#watchers) {
      this.#hub.unwatch(watcher);
      watcher.live = true;
      this.#hub.watch(watcher);
    }
  }

  register(key: string, value: string): Promise<Result<Registration>> {
    const put = this.#check(`register ${key}`, key, value);
    if (!put.ok) return Promise.resolve(put);
    const record = { value };
    this.#registered.set(key, record);
    this.#hub.put(key, value, this);
    return this.#after<Registration>({
      key,
      update: (next) => {
        const fits = checkEntry(key, next);
        if (!fits.ok) return Promise.resolve(fits);
        record.value = next;
        if (this.#status === "disconnected") {
          return Promise.resolve(registryDown(`update ${key}`));
        }
        if (this.#registered.get(key) === record) this.#hub.put(key, next, this);
        return this.#after(undefined);
      },
      [Symbol.asyncDispose]: async () => {
        if (this.#registered.get(key) !== record) return;
        this.#registered.delete(key);
        if (this.#status === "connected") this.#hub.remove(key, this);
        await this.#after(undefined);
      },
    });
  }

  list(prefix: string): Promise<Result<readonly RegistryEntry[]>> {
    if (this.#status === "disconnected") return Promise.resolve(registryDown(`list ${prefix}`));
    return this.#after(this.#hub.list(prefix));
  }

  put(
    key: string,
    value: string,
    options: { readonly ttlMs?: number } = {},
  ): Promise<Result<void>> {
    const put = this.#check(`put ${key}`, key, value);
    if (!put.ok) return Promise.resolve(put);
    this.#hub.put(key, value, undefined, options.ttlMs);
    return this.#after(undefined);
  }

  claim(
    key: string,
    value: string,
    { ttlMs }: { readonly ttlMs: number },
  ): Promise<Result<boolean>> {
    const may = this.#check(`claim ${key}`, key, value);
    if (!may.ok) return Promise.resolve(may);
    return this.#after(this.#hub.claim(key, value, ttlMs));
  }

  remove(key: string): Promise<Result<void>> {
    checkKey(key);
    if (this.#status === "disconnected") return Promise.resolve(registryDown(`remove ${key}`));
    this.#hub.remove(key);
    return this.#after(undefined);
  }

  watch(prefix: string, listener: WatchListener): Promise<Result<Disposable>> {
    if (this.#status === "disconnected") return Promise.resolve(registryDown(`watch ${prefix}`));
    const watcher: Watcher = { view: this, prefix, listener, live: true };
    this.#watchers.add(watcher);
    this.#hub.watch(watcher);
    return this.#after<Disposable>({
      [Symbol.dispose]: () => {
        this.#watchers.delete(watcher);
        this.#hub.unwatch(watcher);
      },
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#lapse?.[Symbol.dispose]();
      for (const watcher of this.#watchers) this.#hub.unwatch(watcher);
      this.#watchers.clear();
      this.#registered.clear();
      this.#hub.endLease(this);
      this.#status = "disconnected";
    }
    return Promise.resolve();
  }

  #check(what: string, key: string, value: string): Result<void> {
    const fits = checkEntry(key, value);
    return fits.ok && this.#status === "disconnected" ? registryDown(what) : fits;
  }

  #registerAll(): void {
    if (this.#status === "disconnected") return;
    for (const [key, { value }] of this.#registered) this.#hub.put(key, value, this);
  }

  /** Resolves after everybody was told what happened so far, as a registry's answer comes after its write. */
  #after<T>(value: T): Promise<Result<T>> {
    return new Promise((resolve) => this.#hub.later(() => resolve(ok(value))));
  }
}
