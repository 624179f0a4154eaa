import { ok } from "@pixii/wire";
import type { Result, VocabularyArtifact } from "@pixii/wire";
import { MergeTable } from "../core/merge_table.ts";
import { TextTokenizer } from "../core/text_tokenizer.ts";
import { TokenTable } from "../core/token_table.ts";
import type { Vocabulary } from "../core/vocabulary.ts";
import { ByteLevelVocabulary } from "./byte_level_vocabulary.ts";
import { ChatTemplate } from "./chat_template.ts";
import { readTokenizer } from "./tokenizer_json.ts";

/** The vocabulary of an artifact. `artifact_invalid` where its tokenizer is damaged or of a kind that is not known. */
export function loadVocabulary(artifact: VocabularyArtifact): Result<Vocabulary> {
  const read = readTokenizer(artifact);
  if (!read.ok) return read;
  const { vocab, merges, added, pre, ignoreMerges, composes } = read.value;
  const tokens = new TokenTable(vocab, added);
  const table = new MergeTable(tokens, merges);
  const { bosToken, eosToken, chatTemplate, addBos } = artifact;
  const bos = bosToken === undefined
    ? undefined
    : added.find(({ content }) => content === bosToken)?.id ?? vocab[bosToken];
  return ok(
    new ByteLevelVocabulary({
      tokens,
      added,
      tokenizer: new TextTokenizer(tokens, table, { pre, ignoreMerges }),
      template: chatTemplate === undefined
        ? undefined
        : new ChatTemplate(chatTemplate, { bosToken, eosToken }),
      bos,
      addBos,
      composes,
    }),
  );
}
