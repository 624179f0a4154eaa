import type { EntryExtra, Overlap, StepEntry, TokenLogprob } from "@pixii/wire";

/** What one step-frame entry brought that the client does not have yet. */
export interface TakenEntry {
  /** New tokens, contiguous with all before; may be empty. */
  readonly tokens: readonly number[];
  /** One per new token, where the worker sent them. */
  readonly logprobs: readonly TokenLogprob[] | undefined;
  /** True where tokens before this entry, or before its end, are missing: ask for them from `next`. */
  readonly gap: boolean;
  /** The end, once nothing before it is missing. */
  readonly end: EntryExtra["end"];
}

const none: readonly number[] = [];

/**
 * One stream's output over all its attempts: takes each output index exactly once and in order, whatever arrives
 * twice, late or not at all. Indexes count from 0 over the whole stream, not per attempt.
 */
export class StreamOutput {
  readonly #prompt: Uint32Array;
  #emitted: Uint32Array = new Uint32Array(64);
  #count = 0;
  #cached: Overlap = { device: 0, host: 0, disk: 0 };

  constructor(prompt: Uint32Array) {
    this.#prompt = prompt;
  }

  /** The next output index expected: how many tokens were taken so far. */
  get next(): number {
    return this.#count;
  }

  /** The token at an output index that was taken. */
  tokenAt(index: number): number {
    return this.#emitted[index];
  }

  /** Prompt tokens taken from KV, by tier, as the last attempt told. */
  get cached(): Overlap {
    return this.#cached;
  }

  /** Prompt, then all output taken so far: what another worker must start from. A copy. */
  allTokens(): Uint32Array {
    if (this.#count === 0) return this.#prompt;
    const all = new Uint32Array(this.#prompt.length + this.#count);
    all.set(this.#prompt);
    all.set(this.#emitted.subarray(0, this.#count), this.#prompt.length);
    return all;
  }

  /** Forgets the cached counts: the next attempt tells its own. */
  restart(): void {
    this.#cached = { device: 0, host: 0, disk: 0 };
  }

  /** Takes what is new in an entry. An entry that leaves a gap brings nothing but the gap. */
  take(entry: StepEntry): TakenEntry {
    const skip = this.#count - entry.firstIndex;
    if (skip < 0) return { tokens: none, logprobs: undefined, gap: true, end: undefined };
    const { extra } = entry;
    if (extra?.cached !== undefined) this.#cached = extra.cached;
    const isNew = skip < entry.tokens.length;
    // Nearly always all of it is new: no copy then.
    const tokens = !isNew ? none : skip === 0 ? entry.tokens : entry.tokens.slice(skip);
    this.#append(tokens);
    const logprobs = isNew ? extra?.logprobs?.slice(skip) : undefined;
    const end = extra?.end;
    if (end !== undefined && end.outputTokens > this.#count) {
      return { tokens, logprobs, gap: true, end: undefined };
    }
    return { tokens, logprobs, gap: false, end };
  }

  #append(tokens: readonly number[]): void {
    const need = this.#count + tokens.length;
    if (need > this.#emitted.length) {
      const grown = new Uint32Array(Math.max(need, 2 * this.#emitted.length));
      grown.set(this.#emitted.subarray(0, this.#count));
      this.#emitted = grown;
    }
    this.#emitted.set(tokens, this.#count);
    this.#count = need;
  }
}
