import type { ModelHash } from "@pixii/wire";
import { BoundedMap } from "./bounded_map.ts";

/** Sessions remembered; over this the longest unused go. */
const mostSessions = 65_536;

/** Which rank served a session last. Pure: time is an argument. */
export class Sessions {
  readonly #ttlMs: number;
  readonly #ranks = new BoundedMap<string, { readonly rank: string; readonly usedMs: number }>(
    mostSessions,
  );

  /** `ttlMs`: a session unused for longer is forgotten; 0 remembers none. */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Sessions remembered. */
  get size(): number {
    return this.#ranks.size;
  }

  /** The rank key of a session. */
  find(model: ModelHash, session: string, nowMs: number): string | undefined {
    const known = this.#ranks.get(`${model}.${session}`);
    return known !== undefined && nowMs - known.usedMs < this.#ttlMs ? known.rank : undefined;
  }

  /** The session is now at this rank. */
  put(model: ModelHash, session: string, use: { rank: string; nowMs: number }): void {
    if (this.#ttlMs === 0) return;
    this.#ranks.set(`${model}.${session}`, { rank: use.rank, usedMs: use.nowMs });
  }
}
