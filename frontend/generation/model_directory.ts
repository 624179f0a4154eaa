import type { ModelCard, ModelHash, Result } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";

/** A model as the frontend serves it, from the cards of its live workers. */
export interface ServedModel {
  readonly name: string;
  readonly hash: ModelHash;
  /** Cards of the workers, at least one; of a model that sleeps what its workers announced last. */
  readonly cards: readonly ModelCard[];
  /** The smallest of its workers. */
  readonly contextLength: number;
  readonly createdAt: number;
  /** It has no worker now and gets one when it is asked for. */
  readonly isAsleep: boolean;
  /** Fetched once from any worker of the model and cached by digest. */
  vocabulary(): Promise<Result<Vocabulary>>;
}

/** The live models, and those that sleep. */
export interface ModelDirectory extends AsyncDisposable {
  list(): readonly ServedModel[];
  find(name: string): ServedModel | undefined;
}
