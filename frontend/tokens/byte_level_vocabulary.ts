import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { MergeTable } from "../core/merge_table.ts";
import { PromptEncoder } from "../core/prompt_encoder.ts";
import { TextTokenizer } from "../core/text_tokenizer.ts";
import { TokenTable } from "../core/token_table.ts";
import { TextStream, TokenTexts } from "../core/token_text.ts";
import type { ChatMessage, Detokenizer, Vocabulary } from "../core/vocabulary.ts";
import { ChatTemplate } from "./chat_template.ts";
import { guardSpellings } from "./spelling_guard.ts";
import type { VocabularyTables } from "./vocabulary_tables.ts";

/** Longer texts go to where long prompts go at once: finding the specials alone could take too long. */
const mostInlineUnits = 512 * 1024;
/** About 6 ms: what is spent on a text before it goes where long prompts go. */
const inlineBudget = 500_000;

/** Encodes prompts that would hold up everything else, somewhere else. */
export interface LongPrompts {
  encode(text: string, options: PromptOptions): Promise<Result<Uint32Array>>;
  encodeChat(
    messages: readonly ChatMessage[],
    options: ChatOptions,
  ): Promise<Result<Uint32Array>>;
}

/** Options of `Vocabulary.encodePrompt`. */
export type PromptOptions = Parameters<Vocabulary["encodePrompt"]>[1];
/** Options of `Vocabulary.encodeChat`. */
export type ChatOptions = Parameters<Vocabulary["encodeChat"]>[1];

/** A vocabulary of byte-level BPE. */
export class ByteLevelVocabulary implements Vocabulary {
  readonly size: number;
  readonly hasChatTemplate: boolean;
  readonly #tables: VocabularyTables;
  readonly #tokens: TokenTable;
  readonly #texts: TokenTexts;
  readonly #encoder: PromptEncoder;
  readonly #template: ChatTemplate | undefined;
  readonly #long: LongPrompts | undefined;

  /** Without `long`, prompts of any length are encoded at once. */
  constructor(tables: VocabularyTables, long?: LongPrompts) {
    const { added, chatTemplate, composes } = tables;
    this.#tables = tables;
    this.#long = long;
    this.#tokens = new TokenTable(tables.tokens);
    this.#texts = new TokenTexts(this.#tokens);
    const merges = new MergeTable(tables.merges, this.#tokens.size);
    this.#encoder = new PromptEncoder(
      new TextTokenizer(this.#tokens, merges, tables),
      added,
      { composes },
    );
    this.#template = chatTemplate === undefined
      ? undefined
      : new ChatTemplate(chatTemplate, tables);
    this.size = this.#tokens.size;
    this.hasChatTemplate = chatTemplate !== undefined;
  }

  encode(
    text: string,
    options: { readonly parseSpecials: boolean; readonly addBos?: boolean },
  ): Uint32Array {
    const { parseSpecials, addBos = false } = options;
    const outcome = this.#encoder.encode(text, { parseSpecials, first: this.#bos(addBos) });
    // Without bounds there is nothing to fail.
    return outcome as Uint32Array;
  }

  encodePrompt(
    text: string,
    options: PromptOptions,
  ): Result<Uint32Array> | Promise<Result<Uint32Array>> {
    const long = this.#long;
    if (long !== undefined && text.length > mostInlineUnits) return long.encode(text, options);
    const { parseSpecials, addBos = false, mostTokens } = options;
    const outcome = this.#encoder.encode(text, {
      ...{ parseSpecials, mostTokens, budget: this.#budget },
      first: this.#bos(addBos),
    });
    if (outcome === "over-budget") return long!.encode(text, options);
    return outcome === "too-many" ? tooMany(mostTokens!) : ok(outcome);
  }

  encodeChat(
    messages: readonly ChatMessage[],
    options: ChatOptions,
  ): Result<Uint32Array> | Promise<Result<Uint32Array>> {
    if (this.#template === undefined) {
      return fail("invalid_request", "This model has no chat template; use /v1/completions");
    }
    const long = this.#long;
    const units = messages.reduce((sum, { content }) => sum + content.length, 0);
    if (long !== undefined && units > mostInlineUnits) return long.encodeChat(messages, options);
    const { mostTokens } = options;
    const guarded = guardSpellings(messages, this.#encoder.controls, {
      template: this.#template.source,
      most: mostTokens,
    });
    // Each spelling is at least one token.
    if (guarded === undefined) return tooMany(mostTokens!);
    const rendered = this.#template.render(guarded.messages, options.nowMs);
    if (!rendered.ok) return rendered;
    const { bosToken } = this.#tables;
    const hasBos = bosToken !== undefined && rendered.value.startsWith(bosToken);
    const outcome = this.#encoder.encode(rendered.value, {
      ...{ parseSpecials: true, marker: guarded.marker, mostTokens, budget: this.#budget },
      first: this.#bos(!hasBos),
    });
    if (outcome === "over-budget") return long!.encodeChat(messages, options);
    return outcome === "too-many" ? tooMany(mostTokens!) : ok(outcome);
  }

  tokenBytes(id: number): Uint8Array {
    return this.#tokens.bytesOf(id).slice();
  }

  isSpecial(id: number): boolean {
    return this.#tokens.isControl(id);
  }

  detokenizer(): Detokenizer {
    return new TextStream(this.#texts);
  }

  /** What may be spent on a text here. */
  get #budget(): number {
    return this.#long === undefined ? Infinity : inlineBudget;
  }

  /** BOS where it is asked for and the model wants it. */
  #bos(isAsked: boolean): number | undefined {
    return isAsked && this.#tables.addBos ? this.#tables.bos : undefined;
  }
}

function tooMany(mostTokens: number) {
  return fail(
    "context_length_exceeded",
    `The prompt must be at most ${mostTokens} tokens, and it has more. Shorten it.`,
  );
}
