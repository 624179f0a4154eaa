import type { InstanceId, ModelCard, ModelHash } from "@pixii/wire";

/** The cards of one model name that agree on the weights. */
export interface CardGroup {
  readonly name: string;
  readonly hash: ModelHash;
  /** At least one, in the order they came. */
  readonly cards: readonly ModelCard[];
  /** Cards of the name with other weights: they get no work. */
  readonly strangers: readonly ModelCard[];
}

interface CardEntry {
  readonly card: ModelCard;
  /** When its key left the registry. */
  goneMs: number | undefined;
}

/** Model cards by registry key, grouped by model. Pure: time is an argument. */
export class CardBook {
  readonly #keepMs: number;
  readonly #byKey = new Map<string, CardEntry>();
  #groups: ReadonlyMap<ModelHash, CardGroup> = new Map();

  /** `keepMs`: how long a card stays after its key left, while its worker is heard of. */
  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** All models, by hash. A new map after every change, so it may be kept. */
  get groups(): ReadonlyMap<ModelHash, CardGroup> {
    return this.#groups;
  }

  /** Instances with a card, those on their way out included. */
  *instances(): Iterable<InstanceId> {
    for (const entry of this.#byKey.values()) yield entry.card.instance;
  }

  /** A card was put. */
  put(key: string, card: ModelCard): void {
    const known = this.#byKey.get(key);
    if (known !== undefined && JSON.stringify(known.card) === JSON.stringify(card)) {
      known.goneMs = undefined;
      return;
    }
    this.#byKey.set(key, { card, goneMs: undefined });
    this.#regroup();
  }

  /** A key left the registry; returns its card. The card itself goes with `sweep`. */
  remove(key: string, nowMs: number): ModelCard | undefined {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return undefined;
    entry.goneMs ??= nowMs;
    return entry.card;
  }

  /** Keys known and still in the registry. */
  presentKeys(): string[] {
    return [...this.#byKey].filter(([, entry]) => entry.goneMs === undefined).map(([key]) => key);
  }

  /** Drops cards whose key is gone and whose worker is silent or past its time; true where one went. */
  sweep(nowMs: number, isHeard: (worker: InstanceId) => boolean): boolean {
    let changed = false;
    for (const [key, { card, goneMs }] of this.#byKey) {
      if (goneMs === undefined) continue;
      if (nowMs - goneMs < this.#keepMs && isHeard(card.instance)) continue;
      this.#byKey.delete(key);
      changed = true;
    }
    if (changed) this.#regroup();
    return changed;
  }

  #regroup(): void {
    const byModel = new Map<ModelHash, ModelCard[]>();
    for (const { card } of this.#byKey.values()) {
      const cards = byModel.get(card.hash);
      if (cards === undefined) byModel.set(card.hash, [card]);
      else cards.push(card);
    }
    const groups = new Map<ModelHash, CardGroup>();
    for (const [hash, all] of byModel) {
      const digest = commonest(all.map((card) => card.modelDigest));
      const cards = all.filter((card) => card.modelDigest === digest);
      const strangers = all.filter((card) => card.modelDigest !== digest);
      groups.set(hash, { name: cards[0].name, hash, cards, strangers });
    }
    this.#groups = groups;
  }
}

/** The value that occurs most; of several, the one that came first. */
export function commonest<Value>(values: readonly Value[]): Value {
  const counts = new Map<Value, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, one) => one[1] > best[1] ? one : best)[0];
}
