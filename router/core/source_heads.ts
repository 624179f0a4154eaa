import { idWords, tiers } from "@pixii/wire";
import type { KvEventsHead } from "@pixii/wire";
import type { OpenStream } from "./event_streams.ts";

interface Known {
  readonly opened: OpenStream;
  readonly owner: Uint32Array;
  readonly model: Uint32Array;
  readonly dpRank: number;
  readonly tier: number;
}

/** Event streams by the numbers that a message's head names their source with: no text is made to find one. */
export class SourceHeads {
  /** By a mix of the owner and what is below it; few share one. */
  readonly #known = new Map<number, Known[]>();
  /** Messages of one source come in rows. */
  #last: Known | undefined;

  /** Knows a stream. */
  add(opened: OpenStream): void {
    const { owner, model, dpRank, tier } = opened.stream.source;
    const place = { dpRank, tier: tiers.indexOf(tier) };
    const known = { opened, owner: idWords(owner), model: idWords(model), ...place };
    const key = keyOf(known);
    const same = this.#known.get(key);
    if (same === undefined) this.#known.set(key, [known]);
    else same.push(known);
  }

  /** Forgets a stream. */
  delete(opened: OpenStream): void {
    this.#last = undefined;
    for (const [key, same] of this.#known) {
      const left = same.filter((one) => one.opened !== opened);
      if (left.length === same.length) continue;
      if (left.length === 0) this.#known.delete(key);
      else this.#known.set(key, left);
      return;
    }
  }

  /** The stream of a message. O(1). */
  find(head: KvEventsHead): OpenStream | undefined {
    if (this.#last !== undefined && isOf(this.#last, head)) return this.#last.opened;
    const same = this.#known.get(keyOf(head));
    if (same === undefined) return undefined;
    for (const one of same) {
      if (!isOf(one, head)) continue;
      this.#last = one;
      return one.opened;
    }
    return undefined;
  }
}

type Named = Pick<Known, "owner" | "model" | "dpRank" | "tier">;

/** Ids are drawn at random: their words need no hash. */
function keyOf({ owner, model, dpRank, tier }: Named): number {
  return (owner[0] ^ owner[1] ^ Math.imul(model[0], 3) ^ Math.imul(dpRank, 0x9e3779b1) ^ tier) | 0;
}

function isOf(known: Known, head: Named): boolean {
  return known.owner[0] === head.owner[0] && known.owner[1] === head.owner[1] &&
    known.model[0] === head.model[0] && known.model[1] === head.model[1] &&
    known.dpRank === head.dpRank && known.tier === head.tier;
}
