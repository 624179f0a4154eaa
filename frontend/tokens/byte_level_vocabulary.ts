import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { SpecialFinder } from "../core/special_finder.ts";
import type { TextTokenizer } from "../core/text_tokenizer.ts";
import type { AddedToken, TokenTable } from "../core/token_table.ts";
import { TextStream, TokenTexts } from "../core/token_text.ts";
import type { ChatMessage, Detokenizer, Vocabulary } from "../core/vocabulary.ts";
import type { ChatTemplate } from "./chat_template.ts";
import { guardSpellings } from "./spelling_guard.ts";

/** What a vocabulary is made of. */
export interface VocabularyParts {
  readonly tokens: TokenTable;
  readonly added: readonly AddedToken[];
  readonly tokenizer: TextTokenizer;
  readonly template: ChatTemplate | undefined;
  /** Id of BOS, where the model has one. */
  readonly bos: number | undefined;
  /** The model wants BOS before every prompt. */
  readonly addBos: boolean;
  /** Texts are brought to NFC first. */
  readonly composes: boolean;
}

/** A vocabulary of byte-level BPE. */
export class ByteLevelVocabulary implements Vocabulary {
  readonly size: number;
  readonly hasChatTemplate: boolean;
  readonly #parts: VocabularyParts;
  readonly #texts: TokenTexts;
  /** All added tokens; those that count in any text; those that do not. */
  readonly #specials: SpecialFinder;
  readonly #always: SpecialFinder;
  readonly #controls: SpecialFinder;

  constructor(parts: VocabularyParts) {
    this.#parts = parts;
    this.size = parts.tokens.size;
    this.hasChatTemplate = parts.template !== undefined;
    this.#texts = new TokenTexts(parts.tokens);
    this.#specials = new SpecialFinder(parts.added);
    this.#always = new SpecialFinder(parts.added.filter(({ special }) => !special));
    this.#controls = new SpecialFinder(parts.added.filter(({ special }) => special));
  }

  encode(
    text: string,
    options: { readonly parseSpecials: boolean; readonly addBos?: boolean },
  ): Uint32Array {
    const { bos, addBos } = this.#parts;
    const ids = this.#encode(text, options.parseSpecials);
    if (options.addBos === true && addBos && bos !== undefined) ids.unshift(Uint32Array.of(bos));
    return joined(ids);
  }

  encodeChat(
    messages: readonly ChatMessage[],
    options: { readonly nowMs: number },
  ): Result<Uint32Array> {
    const { template, bos, addBos } = this.#parts;
    if (template === undefined) {
      return fail("invalid_request", "This model has no chat template; use /v1/completions");
    }
    const guarded = guardSpellings(messages, this.#controls, template.source);
    const rendered = template.render(guarded.messages, options.nowMs);
    if (!rendered.ok) return rendered;
    const ids = this.#encode(rendered.value, true, guarded.marker);
    const hasBos = ids.length > 0 && ids[0].length > 0 && ids[0][0] === bos;
    if (addBos && bos !== undefined && !hasBos) ids.unshift(Uint32Array.of(bos));
    return ok(joined(ids));
  }

  tokenBytes(id: number): Uint8Array {
    return this.#parts.tokens.bytesOf(id).slice();
  }

  isSpecial(id: number): boolean {
    return this.#parts.tokens.isControl(id);
  }

  detokenizer(): Detokenizer {
    return new TextStream(this.#texts);
  }

  /** Ids of a text, piece by piece. Spellings behind `marker` are text, and the marker is dropped. */
  #encode(text: string, parseSpecials: boolean, marker?: string): Uint32Array[] {
    const finder = parseSpecials ? this.#specials : this.#always;
    const ids: Uint32Array[] = [];
    let done = 0;
    for (const { id, from, to } of finder.find(text, marker)) {
      this.#encodePiece(text.slice(done, from), marker, ids);
      ids.push(Uint32Array.of(id));
      done = to;
    }
    this.#encodePiece(text.slice(done), marker, ids);
    return ids;
  }

  #encodePiece(piece: string, marker: string | undefined, ids: Uint32Array[]): void {
    if (piece === "") return;
    if (marker !== undefined && piece.includes(marker)) {
      ids.push(...this.#encode(piece.replaceAll(marker, ""), false));
      return;
    }
    const { tokenizer, composes } = this.#parts;
    ids.push(tokenizer.encode(composes ? piece.normalize("NFC") : piece));
  }
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const ids = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    ids.set(part, at);
    at += part.length;
  }
  return ids;
}
