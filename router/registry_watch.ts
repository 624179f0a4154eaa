import { decodeRecord, keys } from "@pixii/wire";
import type { InstanceId, Result } from "@pixii/wire";
import type {
  Clock,
  Log,
  Registry,
  RegistryChange,
  RegistryEntry,
  WatchListener,
} from "@pixii/runtime";
import type { RouterState } from "./core/router_state.ts";

/** What the watches work with. */
export interface RegistryWatchOptions {
  readonly registry: Registry;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly state: RouterState;
  /** Called after every change of the cards. */
  readonly onModels: () => void;
}

/** Keeps the state's cards and frontends those of the registry. Resolves once both first snapshots are in. */
export async function watchRegistry(options: RegistryWatchOptions): Promise<Result<Disposable>> {
  const { registry, namespace } = options;
  const { models, instances } = keys(namespace);
  const cards = await registry.watch(models, cardListener(options));
  if (!cards.ok) return cards;
  const frontends = await registry.watch(instances, frontendListener(options));
  if (!frontends.ok) {
    cards.value[Symbol.dispose]();
    return frontends;
  }
  const stack = new DisposableStack();
  stack.use(cards.value);
  stack.use(frontends.value);
  return { ok: true, value: stack };
}

function cardListener(options: RegistryWatchOptions): WatchListener {
  const { namespace, clock, log, onModels, state: { fleet } } = options;
  const put = ({ key, value }: RegistryEntry) => {
    const card = decodeRecord("model", value);
    if (!card.ok) {
      log.warn("a model card is not understood", { key, reason: card.error.message });
    } else if (key !== keys(namespace).model(card.value.hash, card.value.instance)) {
      log.warn("a model card lies under another's key", { key });
    } else fleet.put(key, card.value, clock.nowMs());
  };
  return {
    snapshot(entries: readonly RegistryEntry[]): void {
      fleet.keep(new Set(entries.map((entry) => entry.key)), clock.nowMs());
      for (const entry of entries) put(entry);
      onModels();
    },
    change(change: RegistryChange): void {
      if (change.kind === "put") put(change.entry);
      else fleet.remove(change.key, clock.nowMs());
      onModels();
    },
  };
}

function frontendListener(options: RegistryWatchOptions): WatchListener {
  const { clock, state: { ledger } } = options;
  const known = new Map<string, InstanceId>();
  const read = ({ key, value }: RegistryEntry) => {
    const record = decodeRecord("instance", value);
    if (record.ok && record.value.service === "frontend") known.set(key, record.value.instance);
    return known.get(key);
  };
  return {
    snapshot(entries: readonly RegistryEntry[]): void {
      known.clear();
      const found = entries.map(read).filter((id) => id !== undefined);
      ledger.frontendsAre(new Set(found), clock.nowMs());
    },
    change(change: RegistryChange): void {
      if (change.kind === "put") {
        const frontend = read(change.entry);
        if (frontend !== undefined) ledger.frontendCame(frontend);
        return;
      }
      const frontend = known.get(change.key);
      known.delete(change.key);
      if (frontend !== undefined) ledger.frontendLeft(frontend, clock.nowMs());
    },
  };
}
