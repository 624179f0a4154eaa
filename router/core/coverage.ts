import type { ModelHash, Overlap, RouteRequest } from "@pixii/wire";
import type { Candidates } from "./candidates.ts";
import type { Model } from "./model.ts";
import { overlapStride } from "./prefix_index.ts";
import type { PrefixIndex } from "./prefix_index.ts";
import type { Rank } from "./rank.ts";

const nothing: Overlap = { device: 0, host: 0, disk: 0 };

/** Where blocks are looked up. */
export interface CoverageGround {
  indexOf(model: ModelHash, blockSize: number): PrefixIndex | undefined;
}

/** What of one size is held: three numbers per candidate, as `PrefixIndex.overlaps` writes them. */
interface Held {
  readonly candidates: Candidates;
  readonly blocks: Uint32Array;
}

/**
 * Who holds how much of one request's prompt: the index is asked once per block size, for everybody, when somebody wants to
 * know. As of that moment: it lives as long as the decision is made.
 */
export class Coverage {
  readonly #model: Model;
  readonly #request: RouteRequest;
  readonly #ground: CoverageGround;
  readonly #held = new Map<number, Held | undefined>();

  constructor(model: Model, request: RouteRequest, ground: CoverageGround) {
    this.#model = model;
    this.#request = request;
    this.#ground = ground;
  }

  /** What each of these ranks of the model holds, device and tiers below joined. O(ranks) where they come in the model's order. */
  of(ranks: readonly Rank[]): Overlap[] {
    const places = new Map<number, number>();
    return ranks.map((rank) => {
      const { blockSize } = rank.card;
      const held = this.#of(blockSize);
      if (held === undefined) return nothing;
      const all = held.candidates.ranks;
      let place = places.get(blockSize) ?? 0;
      for (let steps = 0; all[place] !== rank; place = (place + 1) % all.length) {
        if (steps++ > all.length) throw new Error(`rank ${rank.key} is none of the model's`);
      }
      places.set(blockSize, place);
      const at = overlapStride * place;
      const { blocks } = held;
      return { device: blocks[at], host: blocks[at + 1], disk: blocks[at + 2] };
    });
  }

  /**
   * The block manager that holds the longest run of the prompt, where that is longer than `least` blocks and the manager
   * `isMeant`; of equals the first by name. Nothing where the model's ranks share one. O(block managers).
   */
  longest(
    blockSize: number,
    { least, most, isMeant }: {
      readonly least: number;
      /** So many blocks of the prompt count. */
      readonly most: number;
      isMeant(kvbm: Candidates["managers"][number]): boolean;
    },
  ): { readonly kvbm: Candidates["managers"][number]; readonly blocks: number } | undefined {
    const held = this.#of(blockSize);
    if (held === undefined) return undefined;
    const { ranks, managers } = held.candidates;
    let best: { readonly kvbm: typeof managers[number]; readonly blocks: number } | undefined;
    for (let i = 0; i < managers.length; i++) {
      const at = overlapStride * (ranks.length + i);
      const blocks = Math.min(most, held.blocks[at + 1] + held.blocks[at + 2]);
      if (blocks <= (best?.blocks ?? least) || !isMeant(managers[i])) continue;
      best = { kvbm: managers[i], blocks };
    }
    return best;
  }

  #of(blockSize: number): Held | undefined {
    if (this.#held.has(blockSize)) return this.#held.get(blockSize);
    const candidates = this.#model.candidates.get(blockSize);
    const list = this.#request.hashes.find((entry) => entry.blockSize === blockSize)?.list;
    const index = this.#ground.indexOf(this.#model.hash, blockSize);
    let held: Held | undefined;
    if (candidates !== undefined && list !== undefined && index !== undefined) {
      const blocks = new Uint32Array(overlapStride * candidates.owners.length);
      index.overlaps(list, candidates.owners, blocks);
      held = { candidates, blocks };
    }
    this.#held.set(blockSize, held);
    return held;
  }
}
