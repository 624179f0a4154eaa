import { limits, workerRankText } from "@pixii/wire";
import type { InstanceId, LoadReport, ModelCard, ModelHash } from "@pixii/wire";
import { candidatesOf } from "./candidates.ts";
import { CardBook } from "./card_book.ts";
import type { EventSource } from "./event_source.ts";
import type { EventStreams } from "./event_streams.ts";
import type { Ledger } from "./ledger.ts";
import type { Liveness } from "./liveness.ts";
import { markStrangers } from "./model.ts";
import type { Model } from "./model.ts";
import type { Rank } from "./rank.ts";
import type { RankLoad } from "./rank_load.ts";
import type { Truth } from "./truth.ts";
import { timesOfProfile } from "./ttft_times.ts";

/** Ranks of one card that are followed; an instance with more is cut. */
const mostRanksPerCard = 256;

type Sources = { readonly [Tier in "device" | "host" | "disk"]?: EventSource };

/** Models, their ranks and the event sources behind them, from the cards in the registry. */
export class Fleet {
  readonly #streams: EventStreams;
  readonly #ledger: Ledger;
  readonly #liveness: Liveness;
  readonly #truth: Truth;
  readonly #cards = new CardBook(limits.deadMs);
  readonly #models = new Map<ModelHash, Model>();
  /** How many ranks a source counts for. */
  readonly #uses = new Map<string, number>();

  constructor(
    parts: { streams: EventStreams; ledger: Ledger; liveness: Liveness; truth: Truth },
  ) {
    this.#truth = parts.truth;
    this.#streams = parts.streams;
    this.#ledger = parts.ledger;
    this.#liveness = parts.liveness;
  }

  /** Served models. */
  get models(): ReadonlyMap<ModelHash, Model> {
    return this.#models;
  }

  /** Takes a card; the same card again changes nothing. */
  put(key: string, card: ModelCard, nowMs: number): void {
    const before = this.#cards.put(key, card);
    this.#liveness.present(card.instance, nowMs);
    if (before !== undefined && isSameShape(before, card)) {
      for (const rank of this.#ranksOf(card)) {
        rank.card = card;
        expectOf(rank.load, card);
        this.#prove(rank);
      }
    } else {
      if (before !== undefined) this.#drop(before);
      this.#add(card);
    }
    markStrangers(this.#models.get(card.hash)!.ranks);
  }

  /** Trust in some source has changed. O(ranks). */
  doubtAgain(): void {
    for (const { ranks } of this.#models.values()) {
      for (const rank of ranks) rank.doubt = this.#truth.doubtOf(rank);
    }
  }

  /** A key left the registry; its card goes with a later `sweep`. */
  remove(key: string, nowMs: number): void {
    this.#cards.remove(key, nowMs);
  }

  /** All keys in the registry: any other has left it. */
  keep(keys: ReadonlySet<string>, nowMs: number): void {
    this.#cards.keep(keys, nowMs);
  }

  /** Drops cards that left the registry and whose worker is silent or past its time; returns how many. */
  sweep(nowMs: number): number {
    const isHeard = (card: ModelCard) => this.#liveness.state(card.instance, nowMs) === "live";
    const dropped = this.#cards.sweep(nowMs, isHeard);
    for (const card of dropped) {
      this.#drop(card);
      const model = this.#models.get(card.hash);
      if (model !== undefined) markStrangers(model.ranks);
      if (!this.#hasInstance(card.instance)) this.#liveness.forget(card.instance);
    }
    return dropped.length;
  }

  /** The rank a report is of, if its card is known. */
  rankOf(report: LoadReport): Rank | undefined {
    const key = workerRankText({ instance: report.instance, dpRank: report.dpRank });
    return this.#models.get(report.model)?.byKey.get(key);
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    const uses = new Map<string, number>();
    for (const model of this.#models.values()) {
      if (model.ranks.length === 0) throw new Error(`model ${model.name} has no ranks`);
      for (const rank of model.ranks) {
        for (const key of rank.sources) {
          uses.set(key, (uses.get(key) ?? 0) + 1);
          if (this.#streams.get(key) === undefined) throw new Error(`source ${key} is not open`);
        }
      }
    }
    for (const { key } of this.#streams.all()) {
      if (uses.get(key) !== this.#uses.get(key)) throw new Error(`source ${key} is counted wrong`);
    }
    if (uses.size !== this.#streams.size) throw new Error("a source is followed for nobody");
  }

  #add(card: ModelCard): void {
    const { hash, name } = card;
    const ranks = [...this.#models.get(hash)?.ranks ?? []];
    const count = Math.min(card.dpSize, mostRanksPerCard);
    for (let dpRank = 0; dpRank < count; dpRank++) ranks.push(this.#rank(card, dpRank));
    ranks.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    const turn = this.#models.get(hash)?.turn ?? 0;
    this.#set({ hash, name, ranks, turn });
  }

  #set(model: Omit<Model, "byKey" | "candidates">): void {
    const byKey = new Map(model.ranks.map((rank) => [rank.key, rank]));
    this.#models.set(model.hash, { ...model, byKey, candidates: candidatesOf(model.ranks) });
  }

  #rank(card: ModelCard, dpRank: number): Rank {
    const worker = { instance: card.instance, dpRank };
    const key = workerRankText(worker);
    const owners: { device?: number; host?: number; disk?: number } = {};
    const sources: string[] = [];
    const wanted = sourcesOf(card, dpRank);
    for (const tier of ["device", "host", "disk"] as const) {
      const source = wanted[tier];
      if (source === undefined) continue;
      // A worker tells its number with every report; a kvbm beats more seldom.
      const opened = this.#streams.open(source, tier !== "device");
      this.#truth.opened(opened);
      // A kvbm may be named by cards of another block size: its blocks then say nothing about this rank's.
      if (opened.stream.source.blockSize === card.blockSize) owners[tier] = opened.slot;
      sources.push(opened.key);
      this.#uses.set(opened.key, (this.#uses.get(opened.key) ?? 0) + 1);
    }
    const load = this.#ledger.openRank(key);
    expectOf(load, card);
    return this.#prove({
      ...{ key, worker, load, owners, sources, card },
      ...{ report: undefined, isStranger: false, lastTurn: 0 },
      ...{ proof: "none", doubt: undefined },
    });
  }

  #prove(rank: Rank): Rank {
    rank.proof = this.#truth.proofOf(rank.card);
    rank.doubt = this.#truth.doubtOf(rank);
    return rank;
  }

  #drop(card: ModelCard): void {
    const model = this.#models.get(card.hash);
    if (model === undefined) return;
    const gone = this.#ranksOf(card);
    const ranks = model.ranks.filter((rank) => !gone.includes(rank));
    if (ranks.length === 0) this.#models.delete(card.hash);
    else this.#set({ ...model, ranks });
    for (const rank of gone) {
      if (!this.#hasInstance(card.instance)) this.#ledger.closeRank(rank.key);
      for (const key of rank.sources) {
        const uses = this.#uses.get(key)! - 1;
        if (uses > 0) this.#uses.set(key, uses);
        else {
          this.#uses.delete(key);
          this.#truth.closed(key);
          this.#streams.close(key);
        }
      }
    }
  }

  #ranksOf(card: ModelCard): readonly Rank[] {
    const ranks = this.#models.get(card.hash)?.ranks ?? [];
    return ranks.filter((rank) => rank.worker.instance === card.instance);
  }

  #hasInstance(instance: InstanceId): boolean {
    for (const { ranks } of this.#models.values()) {
      if (ranks.some((rank) => rank.worker.instance === instance)) return true;
    }
    return false;
  }
}

/** A card tells how long its ranks take, where that was measured. */
function expectOf(load: RankLoad, { profile, blockSize }: ModelCard): void {
  load.expect(profile === undefined ? undefined : timesOfProfile(profile), blockSize);
}

/** True where a card changed in nothing that ranks and sources are made of. */
function isSameShape(a: ModelCard, b: ModelCard): boolean {
  return a.hash === b.hash && a.instance === b.instance && a.blockSize === b.blockSize &&
    a.dpSize === b.dpSize && a.kvbm === b.kvbm;
}

function sourcesOf(card: ModelCard, dpRank: number): Sources {
  const { hash: model, blockSize, instance, kvbm } = card;
  const device = { owner: instance, model, dpRank, tier: "device" as const, blockSize };
  if (kvbm === undefined) return { device };
  // A kvbm holds the blocks of all ranks of its host.
  const below = { owner: kvbm, model, dpRank: 0, blockSize };
  return { device, host: { ...below, tier: "host" }, disk: { ...below, tier: "disk" } };
}
