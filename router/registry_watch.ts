import { decodeRecord, keys, modelHashOf } from "@pixii/wire";
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
  /** Kept as the other routers that are ready. */
  readonly peers: Set<InstanceId>;
  /** Something in the registry cannot be used. */
  readonly onBad: (kind: string) => void;
  /** Called after every change of the cards. */
  readonly onModels: () => void;
}

/** Keeps the state's cards and frontends those of the registry. Resolves once both first snapshots are in. */
export async function watchRegistry(options: RegistryWatchOptions): Promise<Result<Disposable>> {
  const { registry, namespace } = options;
  const { models, instances } = keys(namespace);
  const cards = await registry.watch(models, cardListener(options));
  if (!cards.ok) return cards;
  const frontends = await registry.watch(instances, instanceListener(options));
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
  const { namespace, clock, log, onModels, onBad, state: { fleet } } = options;
  const refuse = (message: string, facts: Record<string, unknown>) => {
    log.warn(message, facts);
    onBad("card");
  };
  const put = ({ key, value }: RegistryEntry) => {
    const card = decodeRecord("model", value);
    if (!card.ok) {
      refuse("a model card is not understood", { key, reason: card.error.message });
    } else if (key !== keys(namespace).model(card.value.hash, card.value.instance)) {
      refuse("a model card lies under another's key", { key });
    } else if (card.value.hash !== modelHashOf(card.value.name)) {
      refuse("a model card has another model's hash", { key, model: card.value.name });
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

/** Frontends by their records' keys go into the ledger, routers into the peers. */
function instanceListener(options: RegistryWatchOptions): WatchListener {
  const { clock, peers, onBad, state: { ledger, router } } = options;
  const frontends = new Map<string, InstanceId>();
  const routers = new Map<string, InstanceId>();
  const read = ({ key, value }: RegistryEntry) => {
    const record = decodeRecord("instance", value);
    if (!record.ok) return onBad("instance");
    const { service, instance, status } = record.value;
    if (service === "frontend") frontends.set(key, instance);
    if (service !== "router" || instance === router) return;
    if (status === "ready") routers.set(key, instance);
    else routers.delete(key);
  };
  const findPeers = () => {
    peers.clear();
    for (const peer of routers.values()) peers.add(peer);
  };
  return {
    snapshot(entries: readonly RegistryEntry[]): void {
      frontends.clear();
      routers.clear();
      for (const entry of entries) read(entry);
      findPeers();
      ledger.frontendsAre(new Set(frontends.values()), clock.nowMs());
    },
    change(change: RegistryChange): void {
      if (change.kind === "put") {
        read(change.entry);
        const frontend = frontends.get(change.entry.key);
        if (frontend !== undefined) ledger.frontendCame(frontend);
      } else {
        const frontend = frontends.get(change.key);
        frontends.delete(change.key);
        routers.delete(change.key);
        if (frontend !== undefined) ledger.frontendLeft(frontend, clock.nowMs());
      }
      findPeers();
    },
  };
}
