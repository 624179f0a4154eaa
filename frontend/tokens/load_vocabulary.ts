import { ok } from "@pixii/wire";
import type { Result, VocabularyArtifact } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import { ByteLevelVocabulary } from "./byte_level_vocabulary.ts";
import { tablesOf } from "./vocabulary_tables.ts";

/** The vocabulary of an artifact, made at once. `artifact_invalid` where its tokenizer is damaged or not known. */
export function loadVocabulary(artifact: VocabularyArtifact): Result<Vocabulary> {
  const tables = tablesOf(artifact);
  return tables.ok ? ok(new ByteLevelVocabulary(tables.value)) : tables;
}
