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
/** About 10 ms: what is spent on a text before it goes where long prompts go. */
const inlineBudget = 1_000_000;

/** Encodes prompts that would hold up everything else, somewhere else. */
export interface LongPrompts {
  encode(
    text: string,
    options: { readonly parseSpecials: boolean; readonly addBos?: boolean },
  ): Promise<Result<Uint32Array>>;
  encodeChat(
    messages: readonly ChatMessage[],
    options: { readonly nowMs: number },
  ): Promise<Result<Uint32Array>>;
}

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
    return this.#withBos(this.#encoder.encode(text, options)!, options.addBos === true);
  }

  encodePrompt(
    text: string,
    options: { readonly parseSpecials: boolean; readonly addBos?: boolean },
  ): Result<Uint32Array> | Promise<Result<Uint32Array>> {
    const long = this.#long;
    if (long === undefined) return ok(this.encode(text, options));
    const parts = text.length > mostInlineUnits
      ? undefined
      : this.#encoder.encode(text, { ...options, budget: inlineBudget });
    if (parts === undefined) return long.encode(text, options);
    return ok(this.#withBos(parts, options.addBos === true));
  }

  encodeChat(
    messages: readonly ChatMessage[],
    options: { readonly nowMs: number },
  ): Result<Uint32Array> | Promise<Result<Uint32Array>> {
    if (this.#template === undefined) {
      return fail("invalid_request", "This model has no chat template; use /v1/completions");
    }
    const long = this.#long;
    const units = messages.reduce((sum, { content }) => sum + content.length, 0);
    if (long !== undefined && units > mostInlineUnits) return long.encodeChat(messages, options);
    const guarded = guardSpellings(messages, this.#encoder.controls, this.#template.source);
    const rendered = this.#template.render(guarded.messages, options.nowMs);
    if (!rendered.ok) return rendered;
    const parts = this.#encoder.encode(rendered.value, {
      parseSpecials: true,
      marker: guarded.marker,
      budget: long === undefined ? Infinity : inlineBudget,
    });
    if (parts === undefined) return long!.encodeChat(messages, options);
    const hasBos = parts.length > 0 && parts[0][0] === this.#tables.bos;
    return ok(this.#withBos(parts, !hasBos));
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

  /** The parts in one, behind BOS where it is asked for and the model wants it. */
  #withBos(parts: readonly Uint32Array[], isAsked: boolean): Uint32Array {
    const { addBos, bos } = this.#tables;
    const first = isAsked && addBos && bos !== undefined ? [bos] : [];
    const ids = new Uint32Array(parts.reduce((sum, part) => sum + part.length, first.length));
    ids.set(first);
    let at = first.length;
    for (const part of parts) {
      ids.set(part, at);
      at += part.length;
    }
    return ids;
  }
}
