import { decodeRecord, keys, limits, subjects as subjectsOf } from "@pixii/wire";
import type { ModelCard, ModelHash, Result } from "@pixii/wire";
import type { RegistryChange, RegistryEntry, ServiceContext } from "@pixii/runtime";
import { CardBook, commonest } from "../core/card_book.ts";
import type { CardGroup } from "../core/card_book.ts";
import { ScaleBook } from "../core/scale_book.ts";
import { generationMetrics } from "./generation_metrics.ts";
import type { GenerationMetrics } from "./generation_metrics.ts";
import type { ModelDirectory, ServedModel } from "./model_directory.ts";
import { VocabularyShelf } from "./vocabulary_shelf.ts";
import type { LoadVocabulary } from "./vocabulary_shelf.ts";
import { WorkerView } from "./worker_view.ts";

/** What a directory works with. */
export interface DirectoryOptions {
  readonly context: Pick<
    ServiceContext,
    "bus" | "registry" | "clock" | "log" | "metrics" | "namespace"
  >;
  readonly loadVocabulary: LoadVocabulary;
}

/** A directory that follows the registry and hears its workers. */
export interface WatchedDirectory extends ModelDirectory {
  /** What is heard of the workers; the generator shares it. */
  readonly workers: WorkerView;
  readonly metrics: GenerationMetrics;
  /** True where asking for the model brings a worker. */
  wakes(model: ModelHash): boolean;
  /** True where a worker of the model takes new answers now, as far as heard. O(its workers). */
  isOpen(model: ModelHash): boolean;
  /** Calls back whenever models changed. */
  onChange(listener: () => void): Disposable;
}

/** Follows the model cards in the registry. Resolves once the first snapshot is in; fails with `registry_unavailable`. */
export async function createModelDirectory(
  options: DirectoryOptions,
): Promise<Result<WatchedDirectory>> {
  const directory = new RegistryDirectory(options);
  const opened = await directory.open();
  if (opened.ok) return { ok: true, value: directory };
  await directory[Symbol.asyncDispose]();
  return opened;
}

class RegistryDirectory implements WatchedDirectory {
  readonly workers: WorkerView;
  readonly metrics: GenerationMetrics;
  readonly #options: DirectoryOptions;
  readonly #book = new CardBook(limits.deadMs);
  readonly #scales = new ScaleBook();
  readonly #shelf: VocabularyShelf;
  readonly #listeners = new Set<() => void>();
  readonly #open: Disposable[] = [];
  #groups: ReadonlyMap<ModelHash, CardGroup> = new Map();
  #sleepers: ReadonlyMap<ModelHash, ModelCard> = new Map();
  #models: ReadonlyMap<ModelHash, ServedModel> = new Map();
  #byName: ReadonlyMap<string, ServedModel> = new Map();

  constructor(options: DirectoryOptions) {
    this.#options = options;
    const { bus, clock, log, namespace } = options.context;
    const subjects = subjectsOf(namespace);
    this.metrics = generationMetrics(options.context.metrics);
    this.workers = new WorkerView({ bus, clock, log, allLoad: subjects.allLoad });
    this.#shelf = new VocabularyShelf({
      ...{ bus, log, subjects, metrics: this.metrics, load: options.loadVocabulary },
    });
  }

  async open(): Promise<Result<void>> {
    const { registry, namespace } = this.#options.context;
    const watch = await registry.watch(keys(namespace).models, {
      snapshot: (entries) => this.#snapshot(entries),
      change: (change) => this.#change(change),
    });
    if (!watch.ok) return watch;
    this.#open.push(watch.value);
    const scales = await registry.watch(keys(namespace).scales, {
      snapshot: (entries) => this.#scaleSnapshot(entries),
      change: (change) => this.#scaleChange(change),
    });
    if (!scales.ok) return scales;
    this.#open.push(scales.value, this.workers.onTick((nowMs) => this.#sweep(nowMs)));
    return { ok: true, value: undefined };
  }

  list(): readonly ServedModel[] {
    return [...this.#models.values()];
  }

  find(name: string): ServedModel | undefined {
    return this.#byName.get(name);
  }

  wakes(model: ModelHash): boolean {
    return this.#sleepers.has(model);
  }

  isOpen(model: ModelHash): boolean {
    const { workers } = this;
    return this.#groups.get(model)?.cards.some(({ instance, role }) =>
      role !== "prefill" && workers.state(instance) === "live" && !workers.load(instance).draining
    ) ?? false;
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open.splice(0)) one[Symbol.dispose]();
    this.workers[Symbol.dispose]();
    this.#shelf[Symbol.dispose]();
    await Promise.resolve();
  }

  #snapshot(entries: readonly RegistryEntry[]): void {
    const present = new Set(entries.map((entry) => entry.key));
    for (const key of this.#book.presentKeys()) if (!present.has(key)) this.#remove(key);
    for (const entry of entries) this.#put(entry);
    this.#refresh();
  }

  #change(change: RegistryChange): void {
    if (change.kind === "put") this.#put(change.entry);
    else this.#remove(change.key);
    this.#refresh();
  }

  #put({ key, value }: RegistryEntry): void {
    const card = decodeRecord("model", value);
    if (!card.ok) {
      this.#options.context.log.warn("a model card is not understood", {
        ...{ key, reason: card.error.message },
      });
      return;
    }
    this.#book.put(key, card.value);
    this.workers.present(card.value.instance);
  }

  #remove(key: string): void {
    const card = this.#book.remove(key, this.#options.context.clock.nowMs());
    if (card !== undefined) this.workers.gone(card.instance);
  }

  #scaleSnapshot(entries: readonly RegistryEntry[]): void {
    const present = new Set(entries.map((entry) => entry.key));
    for (const key of this.#scales.keys()) if (!present.has(key)) this.#scales.remove(key);
    for (const entry of entries) this.#putScale(entry);
    this.#refresh();
  }

  #scaleChange(change: RegistryChange): void {
    if (change.kind === "put") this.#putScale(change.entry);
    else this.#scales.remove(change.key);
    this.#refresh();
  }

  #putScale({ key, value }: RegistryEntry): void {
    const record = decodeRecord("scale", value);
    if (record.ok) return this.#scales.put(key, record.value);
    this.#options.context.log.warn("a scale record is not understood", {
      ...{ key, reason: record.error.message },
    });
  }

  #sweep(nowMs: number): void {
    if (this.#book.sweep(nowMs, (worker) => this.workers.state(worker) === "live")) this.#refresh();
  }

  /** Makes new models where cards changed; unchanged ones stay the same objects. */
  #refresh(): void {
    if (this.#book.groups === this.#groups && this.#scales.cards === this.#sleepers) return;
    const before = this.#groups;
    this.#groups = this.#book.groups;
    this.#sleepers = this.#scales.cards;
    const models = new Map<ModelHash, ServedModel>();
    for (const [hash, group] of this.#groups) {
      models.set(hash, this.#serve(group));
      const known = before.get(hash);
      if (known === undefined) this.#log("a model is served", group);
      if (group.strangers.length > (known?.strangers.length ?? 0)) {
        this.#log("workers of one model name have different weights: the fewer get no work", group);
      }
    }
    for (const [hash, group] of before) {
      if (this.#groups.has(hash)) continue;
      const isAsleep = this.#sleepers.has(hash);
      this.#log(isAsleep ? "a model sleeps" : "a model is no longer served", group);
    }
    for (const [hash, card] of this.#sleepers) {
      if (!models.has(hash)) models.set(hash, this.#sleeping(card));
    }
    this.#models = models;
    this.#byName = new Map(Array.from(models.values(), (model) => [model.name, model]));
    const digests = [...this.#groups.values()].map((group) => digestOf(group));
    const asleep = [...this.#sleepers.values()].map(({ artifactDigest }) => artifactDigest);
    this.#shelf.prune(new Set([...digests, ...asleep]));
    for (const listener of this.#listeners) listener();
  }

  #log(message: string, group: CardGroup): void {
    const { name, cards, strangers } = group;
    const fields = { model: name, workers: cards.length, digest: cards[0].modelDigest };
    if (strangers.length === 0) this.#options.context.log.info(message, fields);
    else {
      const others = strangers.map((card) => card.instance);
      this.#options.context.log.warn(message, { ...fields, others });
    }
  }

  #serve(group: CardGroup): ServedModel {
    const { name, hash, cards } = group;
    return {
      ...{ name, hash, cards, isAsleep: false },
      contextLength: Math.min(...cards.map((card) => card.contextLength)),
      createdAt: Math.min(...cards.map((card) => card.createdAt)),
      vocabulary: () => this.#shelf.get(digestOf(group), cards),
    };
  }

  /** Its vocabulary may still be on the shelf; nobody is there to fetch it from. */
  #sleeping(card: ModelCard): ServedModel {
    const { name, hash, contextLength, createdAt } = card;
    return {
      ...{ name, hash, contextLength, createdAt, cards: [card], isAsleep: true },
      vocabulary: () => this.#shelf.get(card.artifactDigest, []),
    };
  }
}

function digestOf(group: CardGroup): string {
  return commonest(group.cards.map((card) => card.artifactDigest));
}
