import { noop } from "cockatiel";
import { Etcd3 } from "etcd3";
import type { Lease } from "etcd3";
import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Clock } from "./clock.ts";
import { EtcdWatch, reasonOf, retryEveryMs } from "./etcd_watch.ts";
import type { EtcdSnapshot } from "./etcd_watch.ts";
import type { Log } from "./log.ts";
import type { Registration, Registry, RegistryEntry, WatchListener } from "./registry.ts";
import { byKey, checkEntry, checkKey, leaseTtlMs, registryDown, stored } from "./registry_rules.ts";
import { shownUrl } from "./server_url.ts";

/** Longest wait for one call, in ms. */
const callMs = 2_000;
/** Longest pause of the transport before it dials again, in ms. */
const dialPauseMs = 250;

/** What an etcd registry is made of. */
export interface EtcdRegistryParts {
  readonly clock: Clock;
  readonly log: Log;
}

/** Connects to etcd and takes a lease; `registry_unavailable` where none answers. A user and password in the URL are used and never shown. */
export async function connectEtcd(
  url: URL,
  parts: EtcdRegistryParts,
): Promise<Result<EtcdRegistry>> {
  const client = new Etcd3({
    hosts: shownUrl(url),
    ...(url.username === "" ? {} : {
      auth: {
        username: decodeURIComponent(url.username),
        password: decodeURIComponent(url.password),
      },
    }),
    defaultCallOptions: (call) => call.isStream ? {} : { deadline: parts.clock.wallMs() + callMs },
    grpcOptions: {
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.min_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": dialPauseMs,
      "grpc.keepalive_time_ms": 2_000,
      "grpc.keepalive_timeout_ms": 2_000,
    },
    // Retrying is this file's own: its breaker would keep refusing for seconds after the server is back.
    faultHandling: { host: () => noop, global: noop, watchBackoff: steady },
  });
  const registry = new EtcdRegistry(client, parts);
  const leased = await registry.open();
  if (leased.ok) return ok(registry);
  await registry[Symbol.asyncDispose]();
  const reason = leased.error.message;
  return fail(
    "registry_unavailable",
    `Cannot reach etcd at ${shownUrl(url)}: ${reason}; start etcd there or set --etcd`,
  );
}

/** One pause for ever. */
const steady: { readonly duration: number; next(): typeof steady } = {
  duration: retryEveryMs,
  next: () => steady,
};

/** A key under the lease. Its puts are one after the other; the latest value wins. */
class LeasedKey {
  value: string;
  /** True while etcd may not have `value`. */
  isDue = true;
  putting: Promise<void> = Promise.resolve();

  constructor(value: string) {
    this.value = value;
  }
}

/** Discovery in etcd. */
export class EtcdRegistry implements Registry {
  readonly #client: Etcd3;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #keys = new Map<string, LeasedKey>();
  readonly #watches = new Set<EtcdWatch>();
  #lease: Lease | undefined;
  #retry: Disposable | undefined;
  #status: Registry["status"] = "connected";
  #closed = false;

  constructor(client: Etcd3, parts: EtcdRegistryParts) {
    this.#client = client;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  get status(): Registry["status"] {
    return this.#status;
  }

  /** Takes the first lease. */
  async open(): Promise<Result<void>> {
    try {
      await this.#newLease().grant();
      return stored;
    } catch (error) {
      return registryDown("take a lease", reasonOf(error));
    }
  }

  async register(key: string, value: string): Promise<Result<Registration>> {
    const fits = checkEntry(key, value);
    if (!fits.ok) return fits;
    const leased = new LeasedKey(value);
    const put = await this.#putLeased(key, leased);
    if (!put.ok) return put;
    this.#keys.set(key, leased);
    return ok({
      key,
      update: (next) => this.#update(key, leased, next),
      [Symbol.asyncDispose]: async () => {
        if (this.#keys.get(key) !== leased) return;
        this.#keys.delete(key);
        await leased.putting;
        const removed = await this.remove(key);
        // The lease's end removes it.
        if (!removed.ok) this.#log.debug("not removed", { key, reason: removed.error.message });
      },
    });
  }

  async list(prefix: string): Promise<Result<readonly RegistryEntry[]>> {
    const listed = await this.#snapshot(prefix);
    return listed.ok ? ok(listed.value.entries) : listed;
  }

  async put(
    key: string,
    value: string,
    options: { readonly ttlMs?: number } = {},
  ): Promise<Result<void>> {
    const fits = checkEntry(key, value);
    if (!fits.ok) return fits;
    const { ttlMs } = options;
    return await this.#call(`put ${key}`, async () => {
      if (ttlMs === undefined) return void await this.#client.put(key).value(value);
      const lease = this.#passing(ttlMs);
      await lease.put(key).value(value);
      lease.release();
    });
  }

  async claim(
    key: string,
    value: string,
    { ttlMs }: { readonly ttlMs: number },
  ): Promise<Result<boolean>> {
    const fits = checkEntry(key, value);
    if (!fits.ok) return fits;
    let isOurs = false;
    const done = await this.#call(`claim ${key}`, async () => {
      const lease = this.#passing(ttlMs);
      const put = this.#client.put(key).value(value).lease(await lease.grant());
      const renewed = await this.#client.if(key, "Value", "==", value).then(put).commit();
      isOurs = renewed.succeeded ||
        (await this.#client.if(key, "Create", "==", 0).then(put).commit()).succeeded;
      if (isOurs) lease.release();
      else await lease.revoke();
    });
    return done.ok ? ok(isOurs) : done;
  }

  remove(key: string): Promise<Result<void>> {
    checkKey(key);
    return this.#call(`remove ${key}`, async () => void await this.#client.delete().key(key));
  }

  async watch(prefix: string, listener: WatchListener): Promise<Result<Disposable>> {
    const watch = new EtcdWatch(this.#client, prefix, {
      listener,
      clock: this.#clock,
      log: this.#log,
      snapshot: () => this.#snapshot(prefix),
      seen: (status) => this.#set(status),
    });
    const started = await watch.start();
    if (!started.ok) return started;
    this.#watches.add(watch);
    return ok({
      [Symbol.dispose]: () => {
        this.#watches.delete(watch);
        watch.stop();
      },
    });
  }

  /** Ends the lease as etcd does that heard nothing; it is noticed, taken anew and everything registered again. For tests. */
  async expire(): Promise<void> {
    const id = await this.#lease?.grant();
    if (id !== undefined) await this.#client.leaseClient.leaseRevoke({ ID: id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry?.[Symbol.dispose]();
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    this.#keys.clear();
    const lease = this.#lease;
    if (lease !== undefined) {
      const revoked = await this.#call("end the lease", () => lease.revoke());
      if (!revoked.ok) this.#log.debug("lease left to expire", { reason: revoked.error.message });
    }
    this.#status = "disconnected";
    this.#client.close();
  }

  #newLease(): Lease {
    const lease = this.#client.lease(leaseTtlMs / 1000);
    this.#lease = lease;
    lease.on("lost", (error) => this.#lost(lease, error));
    lease.on("keepaliveFailed", () => this.#set("disconnected"));
    lease.on("keepaliveSucceeded", () => {
      this.#set("connected");
      this.#putDue();
    });
    return lease;
  }

  /** A lease that nobody keeps alive: what is under it goes by itself. etcd counts in whole seconds. */
  #passing(ttlMs: number): Lease {
    return this.#client.lease(Math.max(1, Math.ceil(ttlMs / 1000)), { autoKeepAlive: false });
  }

  #lost(lease: Lease, error: unknown): void {
    if (this.#closed || this.#lease !== lease) return;
    this.#log.warn("lease lost; taking a new one", { reason: reasonOf(error) });
    for (const leased of this.#keys.values()) leased.isDue = true;
    this.#retry?.[Symbol.dispose]();
    this.#retry = this.#clock.timer(retryEveryMs, () => {
      const next = this.#newLease();
      next.grant().then(() => this.#putDue()).catch((failed) => {
        this.#log.debug("no lease yet", { reason: reasonOf(failed) });
      });
    });
  }

  #putDue(): void {
    if (this.#closed) return;
    for (const [key, leased] of this.#keys) {
      if (!leased.isDue) continue;
      void this.#putLeased(key, leased).then((put) => {
        if (!put.ok) this.#log.debug("not put yet", { key, reason: put.error.message });
      });
    }
  }

  async #update(key: string, leased: LeasedKey, next: string): Promise<Result<void>> {
    const fits = checkEntry(key, next);
    if (!fits.ok) return fits;
    leased.value = next;
    leased.isDue = true;
    if (this.#keys.get(key) !== leased) return stored;
    if (this.#status === "disconnected") return registryDown(`update ${key}`);
    return await this.#putLeased(key, leased);
  }

  #putLeased(key: string, leased: LeasedKey): Promise<Result<void>> {
    const put = leased.putting.then(async () => {
      if (!leased.isDue) return stored;
      const lease = this.#lease;
      if (lease === undefined) return registryDown(`put ${key}`);
      const { value } = leased;
      leased.isDue = false;
      const done = await this.#call(
        `put ${key}`,
        async () => void await lease.put(key).value(value),
      );
      if (!done.ok || lease !== this.#lease) leased.isDue = true;
      return done;
    });
    leased.putting = put.then(() => undefined);
    return put;
  }

  async #snapshot(prefix: string): Promise<Result<EtcdSnapshot>> {
    let found: EtcdSnapshot | undefined;
    const listed = await this.#call(`list ${prefix}`, async () => {
      const { kvs, header } = await this.#client.getAll().prefix(prefix).exec();
      const entries = kvs.map(({ key, value }) => ({ key: `${key}`, value: `${value}` }));
      found = { entries: entries.sort(byKey), revision: Number(header.revision) };
    });
    return listed.ok ? ok(found!) : listed;
  }

  async #call(what: string, run: () => Promise<void>): Promise<Result<void>> {
    try {
      await run();
      if (!this.#closed) this.#set("connected");
      return stored;
    } catch (error) {
      return registryDown(what, reasonOf(error));
    }
  }

  #set(status: Registry["status"]): void {
    if (this.#closed || this.#status === status) return;
    this.#status = status;
    if (status === "connected") this.#log.info("connected again");
    else this.#log.warn("connection lost; trying again");
  }
}
