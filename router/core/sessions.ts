import { workerRankOf, workerRankText } from "@pixii/wire";
import type { ModelHash, SessionBatch } from "@pixii/wire";
import { BoundedMap } from "./bounded_map.ts";

/** Sessions remembered; over this the longest unused go. */
const mostSessions = 65_536;

/** Where a session was last. */
interface Binding {
  readonly rank: string;
  /** Forgotten then. */
  readonly untilMs: number;
}

/** Which rank served a session last. Pure: time is an argument. */
export class Sessions {
  readonly #ttlMs: number;
  readonly #ranks = new BoundedMap<string, Binding>(mostSessions);

  /** `ttlMs`: a session unused for longer is forgotten unless it asks for another time; 0 remembers none that does not ask. */
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
    return known !== undefined && nowMs < known.untilMs ? known.rank : undefined;
  }

  /** Everything remembered, the longest unused first, with how long it still is. */
  *entries(nowMs: number): Iterable<SessionBatch["sessions"][number]> {
    for (const [key, { rank, untilMs }] of this.#ranks) {
      const leftMs = Math.floor(untilMs - nowMs);
      if (leftMs <= 0) continue;
      const dot = key.indexOf(".");
      const model = key.slice(0, dot) as ModelHash;
      yield { model, session: key.slice(dot + 1), worker: workerRankOf(rank), leftMs };
    }
  }

  /** A sibling remembers a session; what is known here is newer. */
  told({ model, session, worker, leftMs }: SessionBatch["sessions"][number], nowMs: number): void {
    if (this.find(model, session, nowMs) !== undefined) return;
    this.put(model, session, { rank: workerRankText(worker), nowMs, ttlMs: leftMs });
  }

  /** The session is now at this rank, and stays for `ttlMs` where that is said. */
  put(
    model: ModelHash,
    session: string,
    use: { readonly rank: string; readonly nowMs: number; readonly ttlMs?: number },
  ): void {
    const ttlMs = use.ttlMs ?? this.#ttlMs;
    if (ttlMs === 0) return this.#ranks.delete(`${model}.${session}`);
    this.#ranks.set(`${model}.${session}`, { rank: use.rank, untilMs: use.nowMs + ttlMs });
  }
}
