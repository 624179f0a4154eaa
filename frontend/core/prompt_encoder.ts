import { ChunkCache } from "./chunk_cache.ts";
import { chunkEnd } from "./chunk_cutter.ts";
import { SpecialFinder } from "./special_finder.ts";
import type { TextTokenizer } from "./text_tokenizer.ts";
import type { AddedToken } from "./token_table.ts";

/** What the tokens of texts seen before may take. */
const chunkBytes = 32 * 1024 * 1024;
/** Shorter texts are tokenized about as fast as they are looked up. */
const leastCachedUnits = 256;
/** Longer chunks are not looked up: hashing strings of any length well is not promised by the engine. */
const mostCachedUnits = 16_000;
/** Cost of one step of merging, in code units read. */
const workCost = 5;

/** How a text is to be encoded. */
export interface EncodeOptions {
  /** Spellings of control tokens are those tokens, else text. */
  readonly parseSpecials: boolean;
  /** Spellings right behind this text are text, and it is dropped. */
  readonly marker?: string;
  /** Most that may be spent, in code units that are not cached plus steps of merging; unbounded where it is absent. */
  readonly budget?: number;
}

/** Text with special tokens to ids: cut at the specials, then in chunks that are looked up before they are tokenized. */
export class PromptEncoder {
  /** Spellings of control tokens. */
  readonly controls: SpecialFinder;
  readonly #specials: SpecialFinder;
  /** Tokens that count in any text. */
  readonly #always: SpecialFinder;
  readonly #tokenizer: TextTokenizer;
  readonly #composes: boolean;
  readonly #cache = new ChunkCache(chunkBytes);

  constructor(
    tokenizer: TextTokenizer,
    added: readonly AddedToken[],
    /** Texts are brought to NFC first. */
    options: { readonly composes: boolean },
  ) {
    this.#tokenizer = tokenizer;
    this.#composes = options.composes;
    this.controls = new SpecialFinder(added.filter(({ special }) => special));
    this.#specials = new SpecialFinder(added);
    this.#always = new SpecialFinder(added.filter(({ special }) => !special));
  }

  /**
   * Ids of a text, in parts; undefined where the budget does not do. What was done by then is kept, so another try gets
   * further.
   */
  encode(text: string, options: EncodeOptions): Uint32Array[] | undefined {
    const run = new Run(options.budget ?? Infinity);
    return this.#encode(text, options, run) ? run.parts : undefined;
  }

  #encode(text: string, options: Omit<EncodeOptions, "budget">, run: Run): boolean {
    const finder = options.parseSpecials ? this.#specials : this.#always;
    let done = 0;
    for (const { id, from, to } of finder.find(text, options.marker)) {
      if (!this.#encodePiece(text.slice(done, from), options.marker, run)) return false;
      run.parts.push(Uint32Array.of(id));
      done = to;
    }
    return this.#encodePiece(done === 0 ? text : text.slice(done), options.marker, run);
  }

  #encodePiece(piece: string, marker: string | undefined, run: Run): boolean {
    if (marker !== undefined && piece.includes(marker)) {
      return this.#encode(piece.replaceAll(marker, ""), { parseSpecials: false }, run);
    }
    // Up to U+02FF nothing composes with anything.
    // deno-lint-ignore no-control-regex
    const isComposed = !this.#composes || !/[^\x00-\u02ff]/.test(piece);
    const text = isComposed ? piece : piece.normalize("NFC");
    for (let from = 0; from < text.length;) {
      const to = chunkEnd(text, from);
      if (!this.#encodeChunk(text.substring(from, to), run)) return false;
      from = to;
    }
    return true;
  }

  #encodeChunk(chunk: string, run: Run): boolean {
    const isKept = chunk.length >= leastCachedUnits && chunk.length <= mostCachedUnits;
    const known = isKept ? this.#cache.get(chunk) : undefined;
    if (known !== undefined) {
      run.parts.push(known);
      return true;
    }
    if (chunk.length > run.budget) return false;
    const before = this.#tokenizer.work;
    const ids = this.#tokenizer.encode(chunk);
    run.budget -= chunk.length + workCost * (this.#tokenizer.work - before);
    if (isKept) this.#cache.set(chunk, ids);
    run.parts.push(ids);
    return true;
  }
}

/** One text on its way. */
class Run {
  readonly parts: Uint32Array[] = [];
  budget: number;

  constructor(budget: number) {
    this.budget = budget;
  }
}
