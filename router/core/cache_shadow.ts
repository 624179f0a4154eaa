import { ChurnMap } from "@pixii/wire";
import type { HashList } from "@pixii/wire";
import type { ReuseAges } from "./reuse_ages.ts";

/** A run of blocks that were used together last. */
interface Run {
  blocks: number;
  readonly atMs: number;
}

/** Most runs that are followed; over it the oldest go. */
const mostRuns = 16_384;

/**
 * What a rank's cache holds, in the order of last use, as far as this router's own decisions tell: each prompt's end
 * names a run of blocks, and a prompt that goes on where another ended takes its run over. Enough to know how long ago
 * the blocks were used that would make room for new ones. Pure; every operation is O(1) amortized.
 */
export class CacheShadow {
  readonly #runs = new ChurnMap<string, Run>();
  readonly #ages: ReuseAges;
  #blocks = 0;

  /** `ages` learns from what is used again here; ranks share it. */
  constructor(ages: ReuseAges) {
    this.#ages = ages;
  }

  /** Blocks that are followed. */
  get blocks(): number {
    return this.#blocks;
  }

  /** A prompt of these blocks goes to the rank, which holds the first `held` of them; its cache has `capacity` blocks. */
  used(
    list: HashList,
    { held, capacity, nowMs }: {
      readonly held: number;
      readonly capacity: number;
      readonly nowMs: number;
    },
  ): void {
    const length = list.lo.length;
    if (length === 0) return;
    let blocks = length - Math.min(held, length);
    const before = held === 0 ? undefined : keyOf(list, Math.min(held, length) - 1);
    const run = before === undefined ? undefined : this.#runs.get(before);
    if (before !== undefined && run !== undefined) {
      this.#ages.left(nowMs - run.atMs, true);
      this.#cut(before, run);
      blocks += run.blocks;
    }
    if (blocks > 0) {
      const key = keyOf(list, length - 1);
      const same = this.#runs.get(key);
      if (same !== undefined) {
        this.#cut(key, same);
        blocks += same.blocks;
      }
      this.#runs.set(key, { blocks, atMs: nowMs });
      this.#blocks += blocks;
    }
    this.#shrink(capacity, nowMs);
  }

  /** How long ago the run was used that goes first; undefined where there is none. */
  tailAgeMs(nowMs: number): number | undefined {
    for (const { atMs } of this.#runs.values()) return nowMs - atMs;
    return undefined;
  }

  /** Throws where the sum is not that of the runs. */
  checkIntegrity(): void {
    let blocks = 0;
    for (const run of this.#runs.values()) blocks += run.blocks;
    if (blocks !== this.#blocks) throw new Error(`${this.#blocks} blocks followed, ${blocks} held`);
    if (this.#runs.size > mostRuns) throw new Error("too many runs are followed");
  }

  #shrink(capacity: number, nowMs: number): void {
    while (this.#blocks > capacity || this.#runs.size > mostRuns) {
      for (const key of this.#runs.keys()) {
        const run = this.#runs.get(key)!;
        const over = this.#blocks - capacity;
        if (this.#runs.size <= mostRuns && over < run.blocks) {
          // The end of a run goes first; its begin stays, found no more by its end.
          run.blocks -= over;
          this.#blocks -= over;
        } else {
          this.#ages.left(nowMs - run.atMs, false);
          this.#cut(key, run);
        }
        break;
      }
    }
  }

  #cut(key: string, run: Run): void {
    this.#runs.delete(key);
    this.#blocks -= run.blocks;
  }
}

function keyOf(list: HashList, at: number): string {
  return `${list.hi[at]}.${list.lo[at]}`;
}
