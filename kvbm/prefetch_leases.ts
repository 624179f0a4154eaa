import type { Clock } from "@pixii/runtime";

/** Blocks brought ahead of a request stay pinned for this long, in at most so many leases. */
const keepMs = 4_000;
const mostLeases = 64;

/** A client's lease. */
export interface PrefetchLease {
  readonly client: number;
  readonly lease: number;
}

/** Leases of what was brought ahead of a request: each ends by itself, the oldest sooner where there are too many. O(1). */
export class PrefetchLeases {
  readonly #clock: Clock;
  readonly #end: (lease: PrefetchLease) => void;
  /** When each ends, the oldest first. */
  readonly #live = new Map<number, { readonly client: number; readonly timer: Disposable }>();
  #last = 0;

  /** `end` is called once for every lease that began. */
  constructor(clock: Clock, end: (lease: PrefetchLease) => void) {
    this.#clock = clock;
    this.#end = end;
  }

  /** Room for one more, and its number. */
  next(): number {
    const [oldest] = this.#live.keys();
    if (this.#live.size >= mostLeases) this.#over(oldest);
    return ++this.#last;
  }

  /** It is there from now on. */
  begin({ client, lease }: PrefetchLease): void {
    const timer = this.#clock.timer(keepMs, () => this.#over(lease));
    this.#live.set(lease, { client, timer });
  }

  /** All end. */
  clear(): void {
    for (const lease of [...this.#live.keys()]) this.#over(lease);
  }

  #over(lease: number): void {
    const known = this.#live.get(lease);
    if (known === undefined) return;
    this.#live.delete(lease);
    known.timer[Symbol.dispose]();
    this.#end({ client: known.client, lease });
  }
}
