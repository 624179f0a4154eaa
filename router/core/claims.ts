/**
 * What requests that wait at the router will add to the ranks they wait for: whoever is looked at after them counts it as
 * work that is there already, and takes none of those ranks. Pure.
 */
export class Claims {
  readonly #ms = new Map<string, number>();

  /** Milliseconds of prompts that wait for a rank, by its key; 0 where nobody does. O(1). */
  of(rank: string): number {
    return this.#ms.get(rank) ?? 0;
  }

  /** True where somebody waits for a rank. O(1). */
  has(rank: string): boolean {
    return this.#ms.has(rank);
  }

  /** A request waits for a rank and will compute there for `workMs` (0 or more). O(1). */
  add(rank: string, workMs: number): void {
    this.#ms.set(rank, this.of(rank) + workMs);
  }

  /** Nobody waits for any rank. */
  clear(): void {
    this.#ms.clear();
  }
}
