import type { ModelCard, ModelHash, Result } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";

/** A model as the frontend serves it, from the cards of its live workers. */
export interface ServedModel {
  readonly name: string;
  readonly hash: ModelHash;
  /** Cards of the workers, at least one. */
  readonly cards: readonly ModelCard[];
  /** The smallest of its workers. */
  readonly contextLength: number;
  readonly createdAt: number;
  /** Fetched once from any worker of the model and cached by digest. */
  vocabulary(): Promise<Result<Vocabulary>>;
}

/** The live models. */
export interface ModelDirectory extends AsyncDisposable {
  list(): readonly ServedModel[];
  find(name: string): ServedModel | undefined;
}
