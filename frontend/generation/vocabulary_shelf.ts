import { fail } from "@pixii/wire";
import type { Failure, ModelCard, Result, Subjects } from "@pixii/wire";
import type { Bus, Log } from "@pixii/runtime";
import type { Vocabulary } from "../core/vocabulary.ts";
import { fetchArtifact } from "./artifact_fetch.ts";
import type { GenerationMetrics } from "./generation_metrics.ts";
import { gunzip } from "./gunzip.ts";

/** Largest vocabulary once unpacked; the largest known is a tenth of it. */
const mostJsonBytes = 256 * 1024 * 1024;
/** Vocabularies kept that no live model uses. */
const spareVocabularies = 4;
/** Most workers asked for one artifact. */
const mostSources = 4;

/** Makes a vocabulary of an artifact's JSON, which becomes the loader's own; `artifact_invalid` where that fails. */
export type LoadVocabulary = (
  json: Uint8Array,
) => Result<Vocabulary> | Promise<Result<Vocabulary>>;

/** Vocabularies by artifact digest: each is fetched once, from any worker that has it; failures are not kept. */
export class VocabularyShelf implements Disposable {
  readonly #options: {
    readonly bus: Bus;
    readonly log: Log;
    readonly subjects: Subjects;
    readonly metrics: GenerationMetrics;
    readonly load: LoadVocabulary;
  };
  readonly #byDigest = new Map<string, Promise<Result<Vocabulary>>>();
  readonly #stop = new AbortController();

  constructor(options: {
    bus: Bus;
    log: Log;
    subjects: Subjects;
    metrics: GenerationMetrics;
    load: LoadVocabulary;
  }) {
    this.#options = options;
  }

  /** The vocabulary with this digest, from one of the cards' workers. Callers at the same time share one fetch. */
  get(digest: string, cards: readonly ModelCard[]): Promise<Result<Vocabulary>> {
    const known = this.#byDigest.get(digest);
    if (known !== undefined) return known;
    const sources = cards.filter((card) => card.artifactDigest === digest).slice(0, mostSources);
    const made = this.#make(sources);
    this.#byDigest.set(digest, made);
    const drop = () => {
      if (this.#byDigest.get(digest) === made) this.#byDigest.delete(digest);
    };
    made.then((result) => result.ok || drop(), drop);
    return made;
  }

  /** Forgets vocabularies that no live model uses, but for a few spare ones. */
  prune(used: ReadonlySet<string>): void {
    const unused = [...this.#byDigest.keys()].filter((digest) => !used.has(digest));
    for (const digest of unused.slice(0, Math.max(0, unused.length - spareVocabularies))) {
      this.#byDigest.delete(digest);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#byDigest.clear();
  }

  async #make(sources: readonly ModelCard[]): Promise<Result<Vocabulary>> {
    const { log, metrics } = this.#options;
    let last: Failure =
      fail("no_worker", "Cannot load the vocabulary: no worker of the model is left").error;
    for (const card of sources) {
      const vocabulary = await this.#makeFrom(card);
      metrics.artifacts.add(1, { result: vocabulary.ok ? "ok" : vocabulary.error.code });
      if (vocabulary.ok) return vocabulary;
      last = vocabulary.error;
      const { code, message } = last;
      log.warn("vocabulary not loaded", { model: card.name, worker: card.instance, code, message });
    }
    return { ok: false, error: last };
  }

  async #makeFrom(card: ModelCard): Promise<Result<Vocabulary>> {
    const { bus, subjects, load } = this.#options;
    const bytes = await fetchArtifact(card, bus, { subjects, signal: this.#stop.signal });
    if (!bytes.ok) return bytes;
    const json = await gunzip(bytes.value, mostJsonBytes);
    return json.ok ? await load(json.value) : json;
  }
}
