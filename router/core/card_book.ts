import type { ModelCard } from "@pixii/wire";

interface CardEntry {
  readonly card: ModelCard;
  /** When its key left the registry. */
  goneMs: number | undefined;
}

/** Model cards by registry key. A card outlives its key while its worker is heard of, for `keepMs` at most. */
export class CardBook {
  readonly #keepMs: number;
  readonly #entries = new Map<string, CardEntry>();

  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** Takes a card; returns the one it takes the place of. */
  put(key: string, card: ModelCard): ModelCard | undefined {
    const before = this.#entries.get(key)?.card;
    this.#entries.set(key, { card, goneMs: undefined });
    return before;
  }

  /** A key left the registry; its card goes with a later `sweep`. */
  remove(key: string, nowMs: number): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.goneMs ??= nowMs;
  }

  /** Everything in the registry: keys that are not among these have left it. */
  keep(keys: ReadonlySet<string>, nowMs: number): void {
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.remove(key, nowMs);
  }

  /** Drops and returns cards whose key is gone and whose worker is silent or past its time. */
  sweep(nowMs: number, isHeard: (card: ModelCard) => boolean): ModelCard[] {
    const dropped: ModelCard[] = [];
    for (const [key, { card, goneMs }] of this.#entries) {
      if (goneMs === undefined) continue;
      if (nowMs - goneMs < this.#keepMs && isHeard(card)) continue;
      this.#entries.delete(key);
      dropped.push(card);
    }
    return dropped;
  }
}
