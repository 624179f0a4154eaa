import type { ModelCard, ModelHash, ScaleRecord } from "@pixii/wire";

/** Models that are started when they are asked for, by what is written of how many workers they are to have. Pure. */
export class ScaleBook {
  readonly #byKey = new Map<string, ModelCard>();
  #cards: ReadonlyMap<ModelHash, ModelCard> = new Map();

  /** What each such model's workers announced. A new map after every change, so it may be kept. */
  get cards(): ReadonlyMap<ModelHash, ModelCard> {
    return this.#cards;
  }

  /** Keys with a card. */
  keys(): readonly string[] {
    return [...this.#byKey.keys()];
  }

  /** A record was put; one without a card, or with another model's, says nothing of waking. */
  put(key: string, { model, card }: ScaleRecord): void {
    if (card === undefined || card.name !== model) return this.remove(key);
    const known = this.#byKey.get(key);
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(card)) return;
    this.#byKey.set(key, card);
    this.#renew();
  }

  /** A record was removed: what has no worker then does not come back. */
  remove(key: string): void {
    if (this.#byKey.delete(key)) this.#renew();
  }

  #renew(): void {
    this.#cards = new Map([...this.#byKey.values()].map((card) => [card.hash, card]));
  }
}
