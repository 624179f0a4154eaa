import type { AddedToken } from "./token_table.ts";

/** Where a special token is spelled out: code units `from` to `to`. */
export interface SpecialMatch {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

interface Candidate extends SpecialMatch {
  /** Place of the token among all, the longest first. */
  readonly order: number;
}

/**
 * Finds spellings of tokens in text as llama.cpp does: a longer token comes before a shorter one, wherever they are, and
 * of one token the leftmost. O(length) plus the matches, but for tokens that overlap each other.
 */
export class SpecialFinder {
  /** Nodes of a trie over code units: (node * 65536 + unit) to node. */
  readonly #children = new Map<number, number>();
  /** Per node: token that ends there, and its order. */
  readonly #ends = new Map<number, { readonly id: number; readonly order: number }>();
  /** First code units, each as a text. */
  readonly #firsts: readonly string[];

  constructor(tokens: readonly Pick<AddedToken, "id" | "content">[]) {
    const encoder = new TextEncoder();
    const sorted = tokens.filter(({ content }) => content !== "")
      .map((token) => ({ ...token, bytes: encoder.encode(token.content).length }))
      .sort((a, b) => b.bytes - a.bytes || a.id - b.id);
    let nodes = 1;
    sorted.forEach(({ id, content }, order) => {
      let node = 0;
      for (let i = 0; i < content.length; i++) {
        const key = node * 0x10000 + content.charCodeAt(i);
        let child = this.#children.get(key);
        if (child === undefined) this.#children.set(key, child = nodes++);
        node = child;
      }
      if (!this.#ends.has(node)) this.#ends.set(node, { id, order });
    });
    this.#firsts = [...new Set(sorted.map(({ content }) => content[0]))];
  }

  /** Matches in the order of the text, none overlapping; those right behind `unless` do not count. */
  find(text: string, unless?: string): readonly SpecialMatch[] {
    const all = this.findAll(text, unless);
    for (let i = 1; i < all.length; i++) {
      if (all[i].from < all[i - 1].to) return withoutOverlaps(all, text.length);
    }
    return all;
  }

  /** Every place where a token is spelled, overlapping or not, by where it starts. */
  findAll(text: string, unless?: string): readonly Candidate[] {
    const found: Candidate[] = [];
    const nexts = this.#firsts.map((first) => text.indexOf(first));
    while (true) {
      let at = -1;
      for (const next of nexts) if (next >= 0 && (at < 0 || next < at)) at = next;
      if (at < 0) return found;
      for (let i = 0; i < nexts.length; i++) {
        if (nexts[i] === at) nexts[i] = text.indexOf(this.#firsts[i], at + 1);
      }
      const isText = unless !== undefined && text.startsWith(unless, at - unless.length);
      if (!isText) this.#matchAt(text, at, found);
    }
  }

  #matchAt(text: string, from: number, found: Candidate[]): void {
    let node: number | undefined = 0;
    for (let to = from; to < text.length;) {
      node = this.#children.get(node * 0x10000 + text.charCodeAt(to++));
      if (node === undefined) return;
      const end = this.#ends.get(node);
      if (end !== undefined) found.push({ ...end, from, to });
    }
  }
}

function withoutOverlaps(all: readonly Candidate[], length: number): readonly SpecialMatch[] {
  const taken = new Uint8Array(length);
  const byOrder = all.toSorted((a, b) => a.order - b.order || a.from - b.from);
  const kept = byOrder.filter(({ from, to }) => {
    for (let i = from; i < to; i++) if (taken[i] !== 0) return false;
    taken.fill(1, from, to);
    return true;
  });
  return kept.sort((a, b) => a.from - b.from);
}
