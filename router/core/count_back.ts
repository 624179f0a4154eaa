/** A number is compared with what was applied at least this long before it was told: reports may be overtaken. */
const settledMs = 500;
/** Words in a row that must contradict. */
const mostContradictions = 2;

interface Counted {
  /** What had been applied at `atMs`, and at the look before that. */
  readonly applied: number;
  readonly atMs: number;
  readonly settled: number;
  readonly contradictions: number;
}

/**
 * Sees that a publisher counts from the start again without saying so by a new epoch: its word of its last number falls
 * below what has long been applied. Its batches would pass for old ones for ever. Pure: time is an argument.
 */
export class CountBack {
  readonly #sources = new Map<string, Counted>();

  /** A source tells of its last number while `applied` is the last applied; true where it has counted back for sure. */
  told(
    key: string,
    number: number,
    now: { readonly applied: number; readonly ms: number },
  ): boolean {
    const known = this.#sources.get(key) ??
      { applied: now.applied, atMs: now.ms, settled: 0, contradictions: 0 };
    const isDue = now.ms - known.atMs >= settledMs || now.ms < known.atMs;
    const settled = isDue ? known.applied : known.settled;
    const contradictions = number < settled ? known.contradictions + 1 : 0;
    if (contradictions >= mostContradictions) {
      this.#sources.delete(key);
      return true;
    }
    this.#sources.set(key, {
      ...{ settled, contradictions },
      applied: isDue ? now.applied : known.applied,
      atMs: isDue ? now.ms : known.atMs,
    });
    return false;
  }

  /** The source begins anew, or is gone. */
  forget(key: string): void {
    this.#sources.delete(key);
  }
}
