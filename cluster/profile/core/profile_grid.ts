/** What is measured: the points of a profile's tables, and how often. */
export interface ProfileGrid {
  /** New tokens of a prompt, rising. */
  readonly newTokens: readonly number[];
  /** Tokens that are cached before them; whole blocks, rising. */
  readonly prefillContexts: readonly number[];
  /** Sequences that decode together, rising. */
  readonly sequences: readonly number[];
  /** Tokens of each sequence's prompt, rising. */
  readonly decodeContexts: readonly number[];
  /** Sequences that decode while the first token of a prompt is waited for, rising, 0 among them. */
  readonly besides: readonly number[];
  /** Measurements of a prefill. */
  readonly rounds: number;
  /** Steps of a decode point. */
  readonly steps: number;
}

/**
 * The grids by name. For a model of 135 M parameters on one thread `quick` takes half a minute, `small` two or three
 * minutes, `full` ten times that.
 */
export const grids = {
  quick: {
    newTokens: [1, 64, 128],
    prefillContexts: [0, 512],
    sequences: [1, 2, 4],
    decodeContexts: [32, 512],
    besides: [0, 2],
    rounds: 2,
    steps: 8,
  },
  small: {
    newTokens: [1, 16, 64, 128, 512],
    prefillContexts: [0, 512, 2048],
    sequences: [1, 2, 4, 8],
    decodeContexts: [32, 768],
    besides: [0, 1, 4],
    rounds: 3,
    steps: 12,
  },
  full: {
    newTokens: [1, 8, 16, 32, 64, 96, 128, 256, 512, 1024],
    prefillContexts: [0, 256, 512, 1024, 2048, 4096],
    sequences: [1, 2, 3, 4, 6, 8, 12, 16],
    decodeContexts: [32, 256, 768, 1536, 3072],
    besides: [0, 1, 2, 4, 8],
    rounds: 5,
    steps: 24,
  },
} as const satisfies Readonly<Record<string, ProfileGrid>>;

/** What a worker can be asked. */
export interface ProfileBounds {
  readonly contextLength: number;
  readonly maxSeqs: number;
  readonly blockSize: number;
  /** Tokens that all sequences together may have. */
  readonly cells: number;
}

/** Tokens that a decoding sequence may grow by while a row is measured. */
export function roomFor({ steps, sequences, decodeContexts }: ProfileGrid): number {
  // Each newcomer's prompt is computed in steps that take the others along: at most one per 64 tokens.
  const beside = Math.ceil(Math.max(...decodeContexts) / 64) + 2;
  return sequences.length * (steps + 3) + Math.max(...sequences) * beside + 64;
}

/** Prompt of a sequence that decodes beside a prefill. */
export const besidesContext = 32;

/** Tokens that a sequence may say while prompts are computed beside it, twice what chunks of 64 give it time for. */
export function besidesRoom({ newTokens, rounds }: ProfileGrid): number {
  const steps = newTokens.reduce((sum, count) => sum + Math.ceil(count / 64) + 4, 0);
  return 2 * rounds * steps + 64;
}

/** The grid without the points that the worker has no room for, contexts rounded up to whole blocks. */
export function fittedGrid(grid: ProfileGrid, bounds: ProfileBounds): ProfileGrid {
  const { contextLength, maxSeqs, blockSize, cells } = bounds;
  const room = roomFor(grid);
  const sequences = grid.sequences.filter((count) => count <= maxSeqs);
  const newTokens = grid.newTokens.filter((count) => 2 * count + blockSize < contextLength);
  const longest = Math.max(...newTokens);
  const beside = besidesContext + besidesRoom({ ...grid, newTokens });
  const whole = grid.prefillContexts.map((tokens) => Math.ceil(tokens / blockSize) * blockSize);
  return {
    ...grid,
    sequences,
    newTokens,
    prefillContexts: [...new Set(whole)].filter((tokens) => tokens + longest < contextLength),
    besides: grid.besides.filter((count) =>
      count < maxSeqs && beside < contextLength && count * beside + 2 * longest < cells
    ),
    decodeContexts: grid.decodeContexts.filter((tokens) =>
      tokens + room < contextLength && (tokens + room) * Math.max(...sequences) < cells
    ),
  };
}

/** Cells for the whole grid. */
export function cellsFor(grid: ProfileGrid): number {
  const decode = Math.max(...grid.sequences) *
    (Math.max(...grid.decodeContexts) + roomFor(grid));
  const made = grid.newTokens.reduce((sum, count) => sum + count, 0) * grid.rounds;
  const prefill = Math.max(...grid.prefillContexts) + made;
  const beside = Math.max(...grid.besides) * (besidesContext + besidesRoom(grid)) + made;
  return Math.max(decode, prefill, beside) + 256;
}
