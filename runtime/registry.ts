import type { Result } from "@pixii/wire";

/** One key as a watcher sees it. */
export interface RegistryEntry {
  readonly key: string;
  readonly value: string;
}

/** A change after the snapshot. */
export type RegistryChange =
  | { readonly kind: "put"; readonly entry: RegistryEntry }
  | { readonly kind: "delete"; readonly key: string };

/** What a watcher is told, in revision order. */
export interface WatchListener {
  /** The whole prefix; first, and again after a compaction or a reconnect that lost changes: replace what you have. */
  snapshot(entries: readonly RegistryEntry[]): void;
  /** One change after the last snapshot. */
  change(change: RegistryChange): void;
}

/** A key that lives as long as this program's lease. Disposing removes it. */
export interface Registration extends AsyncDisposable {
  readonly key: string;
  /** Replaces the value; kept and sent later where the registry is down. */
  update(value: string): Promise<Result<void>>;
}

/**
 * Discovery: leased keys and watches. A lost lease is re-created and everything registered again; while the registry is
 * down, watchers keep their last state and `registry_unavailable` answers calls.
 */
export interface Registry extends AsyncDisposable {
  readonly status: "connected" | "disconnected";
  /** Puts `key` under this program's lease (time to live 5 s) and keeps it there. Resolves when it is first stored, or fails. */
  register(key: string, value: string): Promise<Result<Registration>>;
  /** The entries under a prefix, once. */
  list(prefix: string): Promise<Result<readonly RegistryEntry[]>>;
  /** Puts a key that lives `ttlMs` unless put again, or for ever without it. */
  put(key: string, value: string, options?: { readonly ttlMs?: number }): Promise<Result<void>>;
  /**
   * Takes a key that nobody holds, or holds it longer where it has this very value already: true where it is the caller's
   * for `ttlMs` from before the call on. One of several that claim a key with different values gets it.
   */
  claim(
    key: string,
    value: string,
    options: { readonly ttlMs: number },
  ): Promise<Result<boolean>>;
  /** Removes a key; removing a missing one is no error. */
  remove(key: string): Promise<Result<void>>;
  /** Snapshot, then changes from snapshot revision + 1, until disposed. Resolves after the first snapshot was delivered. */
  watch(prefix: string, listener: WatchListener): Promise<Result<Disposable>>;
}
