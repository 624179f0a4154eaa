import { ChunkCache } from "./chunk_cache.ts";
import { chunkEnd } from "./chunk_cutter.ts";
import { SpecialFinder } from "./special_finder.ts";
import type { TextTokenizer } from "./text_tokenizer.ts";
import type { AddedToken } from "./token_table.ts";
import { TokenSink } from "./token_sink.ts";

/** What the tokens of texts seen before may take. */
const chunkBytes = 32 * 1024 * 1024;
/** Shorter texts are tokenized about as fast as they are looked up. */
const leastCachedUnits = 256;
/** Longer chunks are not looked up: that the engine hashes strings of any length well is not promised. */
const mostCachedUnits = 16_000;
/** Costs in code units read: of a special token, of a step of merging, and most that a code unit can come to. */
const cost = { special: 50, work: 5, worst: 20 } as const;

/** How a text is to be encoded. */
export interface EncodeOptions {
  /** Spellings of control tokens are those tokens, else text. */
  readonly parseSpecials: boolean;
  /** An id that comes before all. */
  readonly first?: number;
  /** Spellings right behind this text are text, and it is dropped. */
  readonly marker?: string;
  /** Most that may be spent, in code units read, about 10 ns each; unbounded where it is absent. */
  readonly budget?: number;
  /** Most ids that are of use; unbounded where it is absent. */
  readonly mostTokens?: number;
}

/** Ids, or why there are none: the budget was spent (later tries get further), or there are too many. */
export type EncodeOutcome = Uint32Array | "over-budget" | "too-many";

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
  readonly #sink = new TokenSink();
  #budget = 0;
  #mostTokens = 0;

  /** `composes`: texts are brought to NFC first. */
  constructor(
    tokenizer: TextTokenizer,
    added: readonly AddedToken[],
    options: { readonly composes: boolean },
  ) {
    this.#tokenizer = tokenizer;
    this.#composes = options.composes;
    this.controls = new SpecialFinder(added.filter(({ special }) => special));
    this.#specials = new SpecialFinder(added);
    this.#always = new SpecialFinder(added.filter(({ special }) => !special));
  }

  /** Encodes a text. O(length), less for what was seen before. */
  encode(text: string, options: EncodeOptions): EncodeOutcome {
    const sink = this.#sink;
    this.#budget = options.budget ?? Infinity;
    this.#mostTokens = options.mostTokens ?? Infinity;
    try {
      if (options.first !== undefined) sink.push(options.first);
      const problem = this.#encode(text, options);
      return problem ?? (sink.count > this.#mostTokens ? "too-many" : sink.ids());
    } finally {
      sink.clear();
    }
  }

  #encode(
    text: string,
    options: Pick<EncodeOptions, "marker" | "parseSpecials">,
  ): "over-budget" | "too-many" | undefined {
    const { marker, parseSpecials } = options;
    const most = this.#mostTokens - this.#sink.count;
    const finder = parseSpecials ? this.#specials : this.#always;
    const matches = finder.find(text, { unless: marker, most });
    if (matches.length > most) return "too-many";
    this.#budget -= cost.special * matches.length;
    if (this.#budget < 0) return "over-budget";
    let done = 0;
    for (const { id, from, to } of matches) {
      if (from > done) {
        const problem = this.#encodePiece(text.slice(done, from), marker);
        if (problem !== undefined) return problem;
      }
      this.#sink.push(id);
      done = to;
    }
    if (done === text.length) return undefined;
    return this.#encodePiece(done === 0 ? text : text.slice(done), marker);
  }

  #encodePiece(
    piece: string,
    marker: string | undefined,
  ): "over-budget" | "too-many" | undefined {
    if (marker !== undefined && piece.includes(marker)) {
      return this.#encode(piece.replaceAll(marker, ""), { parseSpecials: false });
    }
    // Up to U+02FF nothing composes with anything.
    // deno-lint-ignore no-control-regex
    const isComposed = !this.#composes || !/[^\x00-\u02ff]/.test(piece);
    const text = isComposed ? piece : piece.normalize("NFC");
    for (let from = 0; from < text.length;) {
      const to = chunkEnd(text, from);
      const problem = this.#encodeChunk(text.substring(from, to));
      if (problem !== undefined) return problem;
      from = to;
    }
    return undefined;
  }

  #encodeChunk(chunk: string): "over-budget" | "too-many" | undefined {
    const sink = this.#sink;
    const isKept = chunk.length >= leastCachedUnits && chunk.length <= mostCachedUnits;
    const known = isKept ? this.#cache.get(chunk) : undefined;
    if (known !== undefined) {
      sink.append(known);
      return undefined;
    }
    // A code unit is at least a byte, so there will be as many tokens if all are of the longest.
    const fewest = chunk.length / this.#tokenizer.longestToken;
    if (sink.count + fewest > this.#mostTokens) return "too-many";
    const worst = chunk.length <= mostCachedUnits ? chunk.length : cost.worst * chunk.length;
    if (worst > this.#budget) return "over-budget";
    const before = this.#tokenizer.work;
    const start = sink.count;
    const fingerprint = this.#tokenizer.encode(chunk, sink);
    this.#budget -= chunk.length + cost.work * (this.#tokenizer.work - before);
    // What is seen once is mostly not seen again.
    if (isKept && this.#cache.wasSeen(fingerprint)) this.#cache.set(chunk, sink.ids(start));
    return undefined;
  }
}
