/**
 * Vocabularies of models: text to token ids and back, and chat templates.
 * @module
 */
export type * from "../core/vocabulary.ts";
export { loadVocabulary } from "./load_vocabulary.ts";
