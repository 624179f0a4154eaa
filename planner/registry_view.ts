import { decodeRecord, keys } from "@pixii/wire";
import type {
  DesiredRecord,
  ModelCard,
  ModelHash,
  PlanOrder,
  Result,
  ScaleRecord,
} from "@pixii/wire";
import type { Log, Registry, WatchListener } from "@pixii/runtime";

/** What a planner reads in the registry, kept current: nothing of a plan is anywhere else, so that any planner can go on. */
export interface RegistryView extends Disposable {
  /** By key. */
  readonly cards: ReadonlyMap<string, ModelCard>;
  /** Roles that workers are to have, by key. */
  readonly desired: ReadonlyMap<string, DesiredRecord>;
  readonly orders: ReadonlyMap<string, PlanOrder>;
  readonly scales: ReadonlyMap<string, ScaleRecord>;
  /** Served names of all models, those that have no worker now too. */
  readonly names: ReadonlyMap<ModelHash, string>;
  /** What the workers of models announced that have none now. */
  readonly sleepers: ReadonlyMap<ModelHash, ModelCard>;
  /** Cards of a model's workers; where it has none what they announced last. */
  cardsOf(model: ModelHash): readonly ModelCard[];
}

/** Follows the registry; fails where it does at the start. */
export async function openRegistryView(
  registry: Registry,
  namespace: string,
  log: Log,
): Promise<Result<RegistryView>> {
  const view = {
    cards: new Map<string, ModelCard>(),
    desired: new Map<string, DesiredRecord>(),
    orders: new Map<string, PlanOrder>(),
    scales: new Map<string, ScaleRecord>(),
  };
  const { models, desires, orders, scales } = keys(namespace);
  const stack = new DisposableStack();
  const watches = [
    () => registry.watch(models, into("model", view.cards, log)),
    () => registry.watch(desires, into("desired", view.desired, log)),
    () => registry.watch(orders, into("planOrder", view.orders, log)),
    () => registry.watch(scales, into("scale", view.scales, log)),
  ];
  for (const watch of watches) {
    const watched = await watch();
    if (!watched.ok) {
      stack.dispose();
      return watched;
    }
    stack.use(watched.value);
  }
  const sleepersOf = () => {
    const live = new Set([...view.cards.values()].map(({ hash }) => hash));
    const cards = [...view.scales.values()].flatMap(({ card }) => card === undefined ? [] : [card]);
    return new Map(cards.filter(({ hash }) => !live.has(hash)).map((card) => [card.hash, card]));
  };
  return {
    ok: true,
    value: {
      ...view,
      get names() {
        const all = [...sleepersOf().values(), ...view.cards.values()];
        return new Map(all.map(({ hash, name }) => [hash, name]));
      },
      get sleepers() {
        return sleepersOf();
      },
      cardsOf: (model) => {
        const live = [...view.cards.values()].filter(({ hash }) => hash === model);
        if (live.length > 0) return live;
        const last = sleepersOf().get(model);
        return last === undefined ? [] : [last];
      },
      [Symbol.dispose]: () => stack.dispose(),
    },
  };
}

/** Keeps a map the readable records under a prefix. */
function into<Name extends "model" | "desired" | "planOrder" | "scale">(
  name: Name,
  map: Map<string, unknown>,
  log: Log,
): WatchListener {
  const put = (key: string, text: string) => {
    const record = decodeRecord(name, text);
    if (record.ok) return void map.set(key, record.value);
    map.delete(key);
    log.warn("a record is not understood", { key, reason: record.error.message });
  };
  return {
    snapshot: (entries) => {
      map.clear();
      for (const { key, value } of entries) put(key, value);
    },
    change: (change) => {
      if (change.kind === "put") put(change.entry.key, change.entry.value);
      else map.delete(change.key);
    },
  };
}
