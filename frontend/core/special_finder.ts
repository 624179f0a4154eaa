import type { AddedToken } from "./token_table.ts";

/** Where a special token is spelled out: code units `from` to `to`. */
export interface SpecialMatch {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

/** What to look for less of. */
export interface FindOptions {
  /** Spellings right behind this text do not count. */
  readonly unless?: string;
  /** Most matches of use: one more is found, and no further. */
  readonly most?: number;
}

interface Candidate extends SpecialMatch {
  /** Place of the token among all, the longest first. */
  readonly order: number;
}

/** A node of a trie over code units. */
interface Node {
  readonly unit: number;
  /** First of the nodes below, and the next of those beside. */
  child: Node | undefined;
  readonly sibling: Node | undefined;
  /** Token that ends here, and its order. */
  end: { readonly id: number; readonly order: number } | undefined;
}

/**
 * Finds spellings of tokens in text as llama.cpp does: a longer token comes before a shorter one, wherever they are, and
 * of one token the leftmost. O(length) plus the matches, but for tokens that overlap each other.
 */
export class SpecialFinder {
  readonly #root: Node = { unit: -1, child: undefined, sibling: undefined, end: undefined };
  /** First code units, each as a text. */
  readonly #firsts: readonly string[];

  constructor(tokens: readonly Pick<AddedToken, "id" | "content">[]) {
    const encoder = new TextEncoder();
    const sorted = tokens.filter(({ content }) => content !== "")
      .map((token) => ({ ...token, bytes: encoder.encode(token.content).length }))
      .sort((a, b) => b.bytes - a.bytes || a.id - b.id);
    sorted.forEach(({ id, content }, order) => {
      let node = this.#root;
      for (let i = 0; i < content.length; i++) node = childOf(node, content.charCodeAt(i));
      node.end ??= { id, order };
    });
    this.#firsts = [...new Set(sorted.map(({ content }) => content[0]))];
  }

  /** Matches in the order of the text, none overlapping. */
  find(text: string, options: FindOptions = {}): readonly SpecialMatch[] {
    const all = this.findAll(text, options);
    for (let i = 1; i < all.length; i++) {
      if (all[i].from < all[i - 1].to) return withoutOverlaps(all, text.length);
    }
    return all;
  }

  /** Every place where a token is spelled, overlapping or not, by where it starts. */
  findAll(text: string, options: FindOptions = {}): readonly Candidate[] {
    const { unless, most = Infinity } = options;
    const found: Candidate[] = [];
    const firsts = this.#firsts;
    const nexts = firsts.map((first) => text.indexOf(first));
    while (found.length <= most) {
      let at = -1;
      let which = -1;
      for (let i = 0; i < nexts.length; i++) {
        if (nexts[i] < 0 || (at >= 0 && nexts[i] > at)) continue;
        at = nexts[i];
        which = i;
      }
      if (at < 0) break;
      nexts[which] = text.indexOf(firsts[which], at + 1);
      const isText = unless !== undefined && text.startsWith(unless, at - unless.length);
      if (!isText) this.#matchAt(text, at, found);
    }
    return found;
  }

  #matchAt(text: string, from: number, found: Candidate[]): void {
    let node: Node | undefined = this.#root;
    for (let to = from; to < text.length;) {
      const unit = text.charCodeAt(to++);
      node = node.child;
      while (node !== undefined && node.unit !== unit) node = node.sibling;
      if (node === undefined) return;
      if (node.end !== undefined) {
        found.push({ id: node.end.id, order: node.end.order, from, to });
      }
    }
  }
}

/** The node below for a code unit, made where it is missing. */
function childOf(node: Node, unit: number): Node {
  let child = node.child;
  while (child !== undefined && child.unit !== unit) child = child.sibling;
  return child ?? (node.child = { unit, child: undefined, sibling: node.child, end: undefined });
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
