/** Lowest token drawn: below it are bytes and control tokens of the models that lie in the repository. */
const least = 300;

/** `length` token ids, another row for every seed, out of `span` that are in use. */
export function drawnTokens(
  seed: number,
  { length, span }: { readonly length: number; readonly span: number },
): number[] {
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return least + (state >>> 8) % span;
  });
}
