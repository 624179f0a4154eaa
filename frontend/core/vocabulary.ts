import type { Result } from "@pixii/wire";

/** A chat message after validation, as templates see it. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
}

/** A model's vocabulary and template: text to token ids and back, exactly as llama.cpp does it. */
export interface Vocabulary {
  /** Token ids in all; every id is below it. */
  readonly size: number;
  /** True where the model has a chat template. */
  readonly hasChatTemplate: boolean;
  /** Ids of a text. `parseSpecials` turns spellings like `<|im_end|>` into their ids (raw completions), else they stay text. */
  encode(
    text: string,
    options: { readonly parseSpecials: boolean; readonly addBos?: boolean },
  ): Uint32Array;
  /**
   * Like `encode`, but a text that would take long is encoded on another thread, and its ids come later. Over
   * `mostTokens` ids it stops with `context_length_exceeded`.
   */
  encodePrompt(
    text: string,
    options: {
      readonly parseSpecials: boolean;
      readonly addBos?: boolean;
      readonly mostTokens?: number;
    },
  ): Result<Uint32Array> | Promise<Result<Uint32Array>>;
  /**
   * Renders the template (add_generation_prompt on) and tokenizes; special spellings inside contents stay text. What
   * would take long is done on another thread, and its ids come later. Over `mostTokens` ids it stops with
   * `context_length_exceeded`.
   */
  encodeChat(
    messages: readonly ChatMessage[],
    options: { readonly nowMs: number; readonly mostTokens?: number },
  ): Result<Uint32Array> | Promise<Result<Uint32Array>>;
  /** Bytes of one token as it is written out; specials give their spelling. */
  tokenBytes(id: number): Uint8Array;
  /** True for control tokens, which are not shown to clients. */
  isSpecial(id: number): boolean;
  /** A new incremental detokenizer; specials are left out. */
  detokenizer(): Detokenizer;
}

/** Turns token ids into text as they come; never splits a code point; invalid bytes become U+FFFD as TextDecoder does. */
export interface Detokenizer {
  /** Text that is complete after these tokens; may be empty. */
  push(tokens: ArrayLike<number>): string;
  /** What is left at the end. */
  finish(): string;
}
