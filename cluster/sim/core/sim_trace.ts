import { mixed } from "../../replay/core/replay_request.ts";

/** One request of a simulated run. */
export interface SimRequest {
  /** From the begin of the run; never less than the one before. */
  readonly atMs: number;
  /** Both at least 1. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** What the prompt's whole blocks are, each named with all before it. */
  readonly blocks: ArrayLike<number>;
}

/** Requests in order, and how many tokens their blocks have. */
export interface SimTrace {
  readonly name: string;
  readonly blockTokens: number;
  readonly requests: readonly SimRequest[];
}

/** Lowest token id of prompts: what lies below are bytes and special tokens in the vocabularies used here. */
const leastToken = 300;

/**
 * The token ids of a prompt: equal blocks have equal tokens, and what follows the last whole block is its own (`salt`).
 * O(tokens).
 */
export function promptOf(
  { inputTokens, blocks }: SimRequest,
  options: { readonly blockTokens: number; readonly vocabSize: number; readonly salt: number },
): Uint32Array {
  const { blockTokens, vocabSize, salt } = options;
  const tokens = new Uint32Array(inputTokens);
  const span = vocabSize - leastToken;
  for (let i = 0; i < inputTokens; i++) {
    const block = Math.floor(i / blockTokens);
    const name = block < blocks.length ? mixed(blocks[block] + 0x9e3779b9) : mixed(~salt);
    tokens[i] = leastToken + mixed(name ^ Math.imul(i + 1, 0x9e3779b1)) % span;
  }
  return tokens;
}

/** What a made-up trace is made of. */
export interface SyntheticShape {
  readonly minutes: number;
  /** Mean requests a second. */
  readonly rate: number;
  /** Most tokens of an answer. */
  readonly mostOutput: number;
  /** Uniform in [0, 1). */
  readonly draw: () => number;
}

const blockTokens = 64;
/** Common beginnings that prompts choose from, and the longest in blocks. */
const beginnings = 6;
const mostBeginningBlocks = 8;
/** Part of the requests that goes on from an earlier prompt, of how many last ones, and how long that may grow. */
const followUps = 0.4;
const remembered = 16;
const mostBlocks = 24;

/**
 * A trace made from chance: exponential gaps with bursts, prompts that share a beginning or go on from an earlier one, a
 * log-even spread of answers from 1 to `mostOutput` tokens.
 */
export function syntheticTrace({ minutes, rate, mostOutput, draw }: SyntheticShape): SimTrace {
  const requests: SimRequest[] = [];
  const earlier: number[][] = [];
  let [atMs, nextBlock] = [0, 1000];
  const below = (count: number) => Math.floor(draw() * count);
  while (true) {
    // One of eight comes together with the one before it.
    if (draw() >= 1 / 8) atMs += -Math.log(1 - draw()) * 1000 / (rate * 7 / 8);
    if (atMs >= minutes * 60_000) break;
    const before = draw() < followUps && earlier.length > 0
      ? earlier[below(earlier.length)]
      : commonBlocks(below(beginnings));
    const blocks = [...before];
    for (let i = below(4); i > 0 && blocks.length < mostBlocks; i--) blocks.push(nextBlock++);
    earlier.push(blocks);
    if (earlier.length > remembered) earlier.shift();
    requests.push({
      ...{ atMs, blocks, inputTokens: blocks.length * blockTokens + 1 + below(blockTokens - 1) },
      outputTokens: Math.max(1, Math.round(mostOutput ** draw())),
    });
  }
  return { name: "synthetic", blockTokens, requests };
}

function commonBlocks(which: number): number[] {
  const count = mixed(which + 7) % (mostBeginningBlocks + 1);
  return Array.from({ length: count }, (_, i) => which * mostBeginningBlocks + i);
}
