import { ChurnMap } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import type { BlockSource } from "./block_source.ts";
import type { WaitedBlock } from "./waiting_leases.ts";

/** Most blocks of one order to a source. */
const mostOfOrder = 16;

/** A block that a source is to bring or is bringing. */
export interface Incoming {
  readonly block: WaitedBlock;
  readonly source: BlockSource;
  /** Block manager that is said to have it. */
  readonly from: InstanceId | undefined;
  readonly sinceMs: number;
  /** True once the source was asked, or nobody wants it any more. */
  isAsked: boolean;
  /** Somebody awaits it of this source and of nobody else. */
  readonly isWatched: boolean;
}

/** For requests that wait, or ahead of them. */
export type Urgency = "urgent" | "early";

/** Blocks of one source, block manager and layout, and the queue that they were taken from. */
export interface IncomingBatch {
  readonly urgency: Urgency;
  readonly batch: readonly Incoming[];
}

/** What sources are to bring and are bringing, by block; what requests wait for comes first. Pure. */
export class IncomingBlocks {
  readonly #all = new ChurnMap<string, Incoming>();
  /** What no source has been asked for yet. */
  readonly #queues: Readonly<Record<Urgency, Incoming[]>> = { urgent: [], early: [] };

  /** Blocks that are being brought or wait to be. */
  get size(): number {
    return this.#all.size;
  }

  /** True where a block is to come. */
  has(block: WaitedBlock): boolean {
    return this.#all.has(keyOf(block));
  }

  /** One more, which must not be there. */
  add(incoming: Incoming, urgency: Urgency): void {
    this.#all.set(keyOf(incoming.block), incoming);
    this.#queues[urgency].push(incoming);
  }

  /** What was to come early has its turn now. */
  hasten(block: WaitedBlock): void {
    const known = this.#all.get(keyOf(block));
    if (known !== undefined && !known.isAsked) this.#queues.urgent.push(known);
  }

  /** It came, or does not come. */
  end({ block }: Incoming): void {
    this.#all.delete(keyOf(block));
  }

  /** The next blocks that are still wanted; none where nothing waits. Those that nobody wants end here. */
  next(isWanted: (block: WaitedBlock) => boolean): IncomingBatch {
    const urgency = this.#queues.urgent.length > 0 ? "urgent" : "early";
    const queue = this.#queues[urgency];
    const batch: Incoming[] = [];
    let taken = 0;
    for (const incoming of queue) {
      const [first] = batch;
      const isSame = first === undefined || (incoming.source === first.source &&
        incoming.from === first.from && incoming.block.layout === first.block.layout);
      if (!isSame || batch.length === mostOfOrder) break;
      taken += 1;
      if (incoming.isAsked || batch.includes(incoming)) continue;
      if (isWanted(incoming.block)) batch.push(incoming);
      else {
        incoming.isAsked = true;
        this.end(incoming);
      }
    }
    queue.splice(0, taken);
    const isMore = batch.length === 0 && queue.length + this.#queues.early.length > 0;
    return isMore ? this.next(isWanted) : { urgency, batch };
  }

  /** What of a batch could not be asked for: first again in its queue. */
  putBack(urgency: Urgency, left: readonly Incoming[]): void {
    this.#queues[urgency].unshift(...left);
  }

  /** Blocks that are to come since then, or longer. O(blocks). */
  since(oldestMs: number): readonly WaitedBlock[] {
    const all = [...this.#all.values()].filter(({ sinceMs }) => sinceMs <= oldestMs);
    return all.map(({ block }) => block);
  }
}

function keyOf({ layout, hi, lo }: WaitedBlock): string {
  return `${layout}.${hi}.${lo}`;
}
