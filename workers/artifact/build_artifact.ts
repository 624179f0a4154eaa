import { fail, ok, vocabularyArtifact } from "@pixii/wire";
import type { Result, VocabularyArtifact } from "@pixii/wire";
import { sha256Hex } from "../digest.ts";
import { ggufList, ggufNumber, ggufText } from "../gguf/reader.ts";
import type { Gguf } from "../gguf/reader.ts";
import { endTokenIds } from "./end_tokens.ts";
import { preTokenizers } from "./pre_tokenizer.ts";
import { tokenKinds } from "./token_kinds.ts";

/** A vocabulary artifact ready to be served. */
export interface BuiltArtifact {
  /** gzip of the artifact's JSON. */
  readonly bytes: Uint8Array;
  /** sha256 of `bytes`, hex. */
  readonly digest: string;
  readonly vocabulary: VocabularyArtifact;
}

async function gzip(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function tokenizerJson(
  gguf: Gguf,
  tokens: readonly string[],
  pre: string,
): Record<string, unknown> {
  const kinds = tokenKinds(gguf);
  const added: Record<string, unknown>[] = [];
  // Without a prototype, so that a token like `__proto__` is one like any other.
  const vocab: Record<string, number> = Object.create(null);
  tokens.forEach((content, id) => {
    vocab[content] = id;
    if (kinds[id] === "normal") return;
    const special = kinds[id] === "control";
    added.push({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special,
    });
  });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: preTokenizers[pre].json,
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: preTokenizers[pre].ignoreMerges,
      vocab,
      merges: ggufList<string>(gguf, "tokenizer.ggml.merges"),
    },
  };
}

/** Checks a vocabulary and packs it for the way. */
export async function packArtifact(content: VocabularyArtifact): Promise<BuiltArtifact> {
  const vocabulary = vocabularyArtifact.parse(content);
  const bytes = await gzip(JSON.stringify(vocabulary));
  return { bytes, digest: await sha256Hex(bytes), vocabulary };
}

/** Makes the vocabulary artifact of a model. Refuses tokenizers that frontends do not know, by name. */
export async function buildArtifact(gguf: Gguf): Promise<Result<BuiltArtifact>> {
  const model = ggufText(gguf, "tokenizer.ggml.model");
  const pre = ggufText(gguf, "tokenizer.ggml.pre") ?? "missing";
  // llama.cpp's name for a token that is empty in the file.
  const tokens = ggufList<string>(gguf, "tokenizer.ggml.tokens")
    .map((text, id) => text === "" ? `[EMPTY_${id}]` : text);
  if (model !== "gpt2" || tokens.length === 0) {
    return fail(
      "invalid_request",
      `Cannot serve the model: its tokenizer kind is ${
        model ?? "missing"
      } or it has no tokens; byte-level BPE (gpt2) is supported, use such a model`,
    );
  }
  const known = Object.hasOwn(preTokenizers, pre) ? preTokenizers[pre] : undefined;
  if (known === undefined) {
    return fail(
      "invalid_request",
      `Cannot serve the model: its pre-tokenizer is ${pre}; supported are ${
        Object.keys(preTokenizers).join(", ")
      }; use a model with one of them`,
    );
  }
  const merges = ggufList<string>(gguf, "tokenizer.ggml.merges");
  if ([...tokens, ...merges].some((text) => typeof text !== "string")) {
    return fail(
      "invalid_request",
      "Cannot serve the model: a token or merge of its vocabulary is not text; download it again",
    );
  }
  if (new Set(tokens).size !== tokens.length) {
    return fail(
      "invalid_request",
      "Cannot serve the model: two tokens of its vocabulary have the same text; download it again",
    );
  }
  const named = (name: string) => tokens[ggufNumber(gguf, `tokenizer.ggml.${name}_token_id`) ?? -1];
  const chatTemplate = ggufText(gguf, "tokenizer.chat_template");
  const addBos = gguf.metadata.get("tokenizer.ggml.add_bos_token") ?? known.addBos;
  if (typeof addBos !== "boolean") {
    return fail(
      "invalid_request",
      `Cannot serve the model: its tokenizer.ggml.add_bos_token is ${addBos}, not a flag; download it again`,
    );
  }
  const packed = await packArtifact({
    version: 1,
    tokenizer: tokenizerJson(gguf, tokens, pre),
    tokenizerConfig: {
      bos_token: named("bos") ?? null,
      eos_token: named("eos") ?? null,
      add_bos_token: addBos,
      chat_template: chatTemplate ?? null,
    },
    chatTemplate,
    bosToken: named("bos"),
    eosToken: named("eos"),
    addBos,
    eosTokenIds: endTokenIds(gguf),
    pre,
  });
  return ok(packed);
}
