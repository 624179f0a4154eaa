import type { TokenTable } from "./token_table.ts";
import { openTail } from "./utf8_tail.ts";
import type { Detokenizer } from "./vocabulary.ts";

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const nothing = new Uint8Array();

/** Texts of the tokens that are whole characters, each made when it is first needed. */
export class TokenTexts {
  readonly tokens: TokenTable;
  /** `null` for a token that is no text by itself. */
  readonly #texts: (string | null | undefined)[];

  constructor(tokens: TokenTable) {
    this.tokens = tokens;
    this.#texts = new Array(tokens.size).fill(undefined);
  }

  /** Text of a token, empty for control tokens and unknown ids; null where its bytes are not whole characters. */
  textOf(id: number): string | null {
    const known = this.#texts[id];
    return known === undefined ? this.#make(id) : known;
  }

  #make(id: number): string | null {
    if (!(id < this.tokens.size) || this.tokens.isControl(id)) return "";
    let text: string | null;
    try {
      text = strict.decode(this.tokens.bytesOf(id));
    } catch {
      // Not whole characters: its bytes wait for those of its neighbours.
      text = null;
    }
    this.#texts[id] = text;
    return text;
  }
}

/** Token ids to text as they come. Holds back at most three bytes. */
export class TextStream implements Detokenizer {
  readonly #texts: TokenTexts;
  /** Bytes of a character that is not whole yet. */
  #open: Uint8Array = nothing;

  constructor(texts: TokenTexts) {
    this.#texts = texts;
  }

  push(tokens: ArrayLike<number>): string {
    let text = "";
    for (let i = 0; i < tokens.length; i++) {
      const whole = this.#texts.textOf(tokens[i]);
      if (whole === "") continue;
      text += whole !== null && this.#open.length === 0 ? whole : this.#join(tokens[i]);
    }
    return text;
  }

  finish(): string {
    const text = lenient.decode(this.#open);
    this.#open = nothing;
    return text;
  }

  #join(id: number): string {
    const own = this.#texts.tokens.bytesOf(id);
    const bytes = new Uint8Array(this.#open.length + own.length);
    bytes.set(this.#open);
    bytes.set(own, this.#open.length);
    const cut = bytes.length - openTail(bytes);
    this.#open = bytes.subarray(cut);
    return lenient.decode(bytes.subarray(0, cut));
  }
}
