import type { Etcd3, Watcher } from "etcd3";
import type { Result } from "@pixii/wire";
import { guarded } from "./bus_status.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Registry, RegistryEntry, WatchListener } from "./registry.ts";
import { stored } from "./registry_rules.ts";

/** Pause between two attempts at a lease, a watch or a put that failed, in ms. */
export const retryEveryMs = 200;

/** What lay under a prefix at one revision. */
export interface EtcdSnapshot {
  readonly entries: readonly RegistryEntry[];
  readonly revision: number;
}

/** What a watch works with. */
export interface EtcdWatchParts {
  readonly listener: WatchListener;
  readonly clock: Clock;
  readonly log: Log;
  /** What lies under the prefix now. */
  snapshot(): Promise<Result<EtcdSnapshot>>;
  /** Told what the stream says of the connection. */
  seen(status: Registry["status"]): void;
}

/** One watched prefix: a snapshot, then changes from its revision + 1; a new snapshot whenever the stream broke. */
export class EtcdWatch {
  readonly #client: Etcd3;
  readonly #prefix: string;
  readonly #parts: EtcdWatchParts;
  #watcher: Watcher | undefined;
  #retry: Disposable | undefined;
  #stopped = false;

  constructor(client: Etcd3, prefix: string, parts: EtcdWatchParts) {
    this.#client = client;
    this.#prefix = prefix;
    this.#parts = parts;
  }

  /** Delivers the first snapshot and follows. */
  async start(): Promise<Result<void>> {
    const snapshot = await this.#parts.snapshot();
    if (!snapshot.ok) return snapshot;
    if (this.#stopped) return stored;
    const { listener, log } = this.#parts;
    guarded(log, "watch listener", () => listener.snapshot(snapshot.value.entries));
    this.#follow(snapshot.value.revision + 1);
    return stored;
  }

  /** Ends it; the listener hears nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.[Symbol.dispose]();
    this.#drop();
  }

  #follow(revision: number): void {
    const watcher = this.#client.watch().prefix(this.#prefix).startRevision(`${revision}`)
      .watcher();
    this.#watcher = watcher;
    watcher.on("put", ({ key, value }) => {
      this.#tell(watcher, { kind: "put", entry: { key: `${key}`, value: `${value}` } });
    });
    watcher.on("delete", ({ key }) => this.#tell(watcher, { kind: "delete", key: `${key}` }));
    // Either the connection is gone, or the revision was compacted away: what was missed is unknown.
    watcher.on("disconnected", () => {
      this.#parts.seen("disconnected");
      this.#again(watcher, "connection lost");
    });
    watcher.on("error", (error) => this.#again(watcher, reasonOf(error)));
  }

  #tell(watcher: Watcher, change: Parameters<WatchListener["change"]>[0]): void {
    if (this.#stopped || watcher !== this.#watcher) return;
    guarded(this.#parts.log, "watch listener", () => this.#parts.listener.change(change));
  }

  #again(watcher: Watcher, reason: string): void {
    if (this.#stopped || watcher !== this.#watcher) return;
    this.#parts.log.debug("watch broke; a new snapshot follows", { prefix: this.#prefix, reason });
    this.#drop();
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retry = this.#parts.clock.timer(retryEveryMs, () => {
      void this.start().then((started) => {
        if (!started.ok && !this.#stopped) this.#retryLater();
      });
    });
  }

  #drop(): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    watcher?.cancel().catch((error: unknown) => {
      this.#parts.log.trace("watcher not cancelled", { reason: reasonOf(error) });
    });
  }
}

/** What went wrong, for people. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
