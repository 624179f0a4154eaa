import { decodeRecord, keys } from "@pixii/wire";
import type { KvbmCard } from "@pixii/wire";
import { hostName } from "@pixii/runtime";
import type { Log, Registry } from "@pixii/runtime";

/** Where the block managers of this host listen. */
export interface KvbmFinder extends Disposable {
  /** Paths of their sockets, the same order for every worker. */
  sockets(): readonly string[];
  /** Calls `listener` when that may have changed. */
  onChange(listener: () => void): void;
}

/** The one that is named. */
export function namedKvbm(socket: string): KvbmFinder {
  return { sockets: () => [socket], onChange: () => {}, [Symbol.dispose]: () => {} };
}

/** Those that the registry lists for this host. A registry that does not answer yet lists none until it does. */
export async function registeredKvbms(
  registry: Registry,
  options: { readonly namespace: string; readonly log: Log },
): Promise<KvbmFinder> {
  const cards = new Map<string, KvbmCard>();
  let listener: () => void = () => {};
  const host = hostName();
  const put = (key: string, value: string) => {
    const card = decodeRecord("kvbm", value);
    if (card.ok && card.value.host === host) cards.set(key, card.value);
  };
  const watched = await registry.watch(keys(options.namespace).kvbms, {
    snapshot: (entries) => {
      cards.clear();
      for (const entry of entries) put(entry.key, entry.value);
      listener();
    },
    change: (change) => {
      if (change.kind === "put") put(change.entry.key, change.entry.value);
      else cards.delete(change.key);
      listener();
    },
  });
  if (!watched.ok) options.log.warn("no host tier", { reason: watched.error.message });
  return {
    sockets: () => [...cards.keys()].sort().map((key) => cards.get(key)!.socket),
    onChange: (wanted) => listener = wanted,
    [Symbol.dispose]: () => {
      if (watched.ok) watched.value[Symbol.dispose]();
    },
  };
}
