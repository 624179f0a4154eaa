import type { KvEvent } from "@pixii/wire";
import { pageShift, pagesOf, runWords, spansOf } from "./layout.ts";
import type { Span } from "./layout.ts";

/**
 * All spans of one owner as `stored` events, each behind the block it follows: parents come before what goes on from
 * them. `owner` is the address of its record. Copies nothing that changes later: the events stand by themselves.
 */
export function snapshotOf(words: Uint32Array, owner: number, slot: number): KvEvent[] {
  const spans: { readonly span: Span; readonly depth: number }[] = [];
  for (const { page, run } of pagesOf(words, owner)) {
    for (const span of spansOf(words, run)) {
      // A span stands on several pages: it is taken at that of its first number.
      if (span.owner !== slot || span.first >>> pageShift !== page) continue;
      spans.push({ span, depth: words[(run >>> 2) + runWords.depth] + span.from });
    }
  }
  spans.sort((a, b) => a.depth - b.depth || a.span.first - b.span.first);
  return spans.map(({ span }) => storedOf(words, span));
}

function storedOf(words: Uint32Array, span: Span): KvEvent {
  const { run, from, to, first } = span;
  const count = to - from;
  const base = (words[(run >>> 2) + runWords.base] >>> 2) + 2 * from;
  const hi = new Uint32Array(count);
  const lo = new Uint32Array(count);
  const numbers = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    lo[i] = words[base + 2 * i];
    hi[i] = words[base + 2 * i + 1];
    numbers[i] = first + i;
  }
  return { op: "stored", parent: parentOf(words, span), numbers, hi, lo };
}

/** The owner's number of the block before a span; 0 where it has none or that block is not known. */
function parentOf(words: Uint32Array, { run, from, owner }: Span): number {
  const record = run >>> 2;
  const [before, place] = from > 0
    ? [run, from - 1]
    : [words[record + runWords.parent], words[record + runWords.attach]];
  if (before === 0) return 0;
  const held = spansOf(words, before).find((one) =>
    one.owner === owner && one.from <= place && place < one.to
  );
  return held === undefined ? 0 : held.first + (place - held.from);
}
