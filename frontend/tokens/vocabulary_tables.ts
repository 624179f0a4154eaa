import { ok } from "@pixii/wire";
import type { Result, VocabularyArtifact } from "@pixii/wire";
import { MergeTable } from "../core/merge_table.ts";
import type { MergeTableData } from "../core/merge_table.ts";
import type { PreTokenizer } from "../core/pre_tokenizer.ts";
import { TokenTable } from "../core/token_table.ts";
import type { AddedToken, TokenTableData } from "../core/token_table.ts";
import { readTokenizer } from "./tokenizer_json.ts";

/** All a vocabulary is made of, as threads can pass it on: the large parts are in memory they share. */
export interface VocabularyTables {
  readonly tokens: TokenTableData;
  readonly merges: MergeTableData;
  readonly added: readonly AddedToken[];
  readonly pre: PreTokenizer;
  /** A word that is a token as a whole is not merged from its parts. */
  readonly ignoreMerges: boolean;
  /** Texts are brought to NFC first. */
  readonly composes: boolean;
  readonly chatTemplate: string | undefined;
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
  /** Id of BOS, where the model has one. */
  readonly bos: number | undefined;
  /** The model wants BOS before every prompt. */
  readonly addBos: boolean;
}

/** Makes the tables of an artifact. `artifact_invalid` where its tokenizer is damaged or of a kind that is not known. */
export function tablesOf(artifact: VocabularyArtifact): Result<VocabularyTables> {
  const read = readTokenizer(artifact);
  if (!read.ok) return read;
  const { vocab, merges, added, pre, ignoreMerges, composes } = read.value;
  const { chatTemplate, bosToken, eosToken, addBos } = artifact;
  const tokens = TokenTable.of(vocab, added);
  const bos = added.find(({ content }) => content === bosToken)?.id ??
    vocab.ids[vocab.texts.findIndex((text) => text === bosToken)];
  return ok({
    tokens: tokens.data,
    merges: MergeTable.of(tokens, merges).data,
    ...{ added, pre, ignoreMerges, composes, chatTemplate, bosToken, eosToken, bos, addBos },
  });
}
