/** Fields of a run's record, in words from its address; `runs.as` says what each is. */
export const runWords = {
  ...{ base: 0, len: 1, spans: 2, count: 3, head: 4, use: 6, guess: 7, parent: 8, attach: 9 },
  ...{ child: 10, next: 11, prev: 12, flags: 13, depth: 18, row: 19 },
} as const;

/** Rows of the table of what prompts begin with. */
export const mostRows = 64;

/** Words of a span: first block, block after the last, owner, number of the first block. */
export const spanWords = 4;

/** Fields of an owner's record, in words; `owners.as` says what each is. */
export const ownerWords = { pages: 0, shift: 1, used: 2, blocks: 3, evicted: 4, most: 5, open: 6 };

/** Words of an entry of an owner's page table. */
const entryWords = 3;

/** Words of an owner's record. */
export const ownerStride = 8;

/** Numbers of one page of an owner's numbers, as a power of two. */
export const pageShift = 7;

/** One span, read out of an index's memory. */
export interface Span {
  /** Address of its run's record. */
  readonly run: number;
  readonly from: number;
  readonly to: number;
  readonly owner: number;
  /** Number of its first block. */
  readonly first: number;
}

/** The spans of a run, in order. */
export function spansOf(words: Uint32Array, run: number): Span[] {
  const record = run >>> 2;
  const at = words[record + runWords.spans] >>> 2;
  const spans: Span[] = [];
  const end = at + spanWords * words[record + runWords.count];
  for (let i = at; i < end; i += spanWords) {
    spans.push({ run, from: words[i], to: words[i + 1], owner: words[i + 2], first: words[i + 3] });
  }
  return spans;
}

/** The entries of an owner's page table: page and run. */
export function pagesOf(words: Uint32Array, owner: number): { page: number; run: number }[] {
  const record = owner >>> 2;
  const pages = words[record + ownerWords.pages] >>> 2;
  if (pages === 0) return [];
  const cells = 2 ** (32 - words[record + ownerWords.shift]);
  const found: { page: number; run: number }[] = [];
  for (let i = 0; i < cells; i++) {
    const key = words[pages + entryWords * i];
    if (key !== 0) found.push({ page: key - 1, run: words[pages + entryWords * i + 1] });
  }
  return found;
}
