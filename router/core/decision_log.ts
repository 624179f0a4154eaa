import type { DecisionOutcome, DecisionReport, LedgerEntry, RequestId } from "@pixii/wire";
import type { DecisionTrace } from "./decision_trace.ts";

/** Most bytes of all kept decisions, about; over this fewer than asked for are kept. */
const mostBytes = 64 * 1024 * 1024;

/** A decision as it is kept. */
export class KeptDecision {
  readonly trace: DecisionTrace;
  /** The next older and newer one of the same request. */
  older: KeptDecision | undefined;
  newer: KeptDecision | undefined;
  #outcome: DecisionOutcome | undefined;

  constructor(trace: DecisionTrace, older: KeptDecision | undefined) {
    this.trace = trace;
    this.older = older;
  }

  /** What became of it, as far as known. */
  get outcome(): DecisionOutcome | undefined {
    return this.#outcome;
  }

  /** In words. */
  report(): DecisionReport {
    return this.trace.report(this.#outcome);
  }

  /** Takes what a ledger entry tells; true where the stream is over by it. */
  learn(entry: LedgerEntry, nowMs: number): boolean {
    const { requestId, attempt, leg } = entry;
    const ms = nowMs - this.trace.place.atMs;
    const known = this.#outcome ?? { requestId, attempt, leg };
    if (entry.op === "first-token") {
      if (known.firstTokenMs !== undefined) return false;
      const { cachedTokens } = entry;
      this.#outcome = {
        ...known,
        firstTokenMs: ms,
        ...(cachedTokens === undefined ? {} : { cachedTokens }),
      };
      return false;
    }
    if (entry.op !== "complete" || known.endMs !== undefined) return false;
    const { outputTokens, reason } = entry;
    this.#outcome = {
      ...known,
      endMs: ms,
      ...(outputTokens === undefined ? {} : { outputTokens }),
      ...(reason === undefined ? {} : { reason }),
    };
    return true;
  }
}

/** Who is told of decisions as they are kept, and of those whose stream is over. Called on the way of a request: it must not wait. */
export interface DecisionListener {
  placed(kept: KeptDecision): void;
  ended(kept: KeptDecision): void;
}

/** Which decisions are asked for. */
export interface DecisionFilter {
  readonly most: number;
  /** A request id, or a client's own. */
  readonly id?: string;
  readonly model?: string;
  /** An instance id: decisions for it. */
  readonly worker?: string;
  readonly policy?: string;
}

/** The last decisions, in a ring bounded by count and bytes, found by request, and what became of them. */
export class DecisionLog {
  readonly #most: number;
  readonly #mostBytes: number;
  /** Oldest at `#first`, then around. */
  readonly #ring: (KeptDecision | undefined)[] = [];
  readonly #newest = new Map<RequestId, KeptDecision>();
  #listener: DecisionListener | undefined;
  #first = 0;
  #size = 0;
  #bytes = 0;

  constructor(most: number, bytes: number = mostBytes) {
    this.#most = most;
    this.#mostBytes = bytes;
  }

  /** Most decisions that are kept. */
  get capacity(): number {
    return this.#most;
  }

  /** Decisions kept now. */
  get size(): number {
    return this.#size;
  }

  /** Tells this one from now on, and nobody else. */
  listen(listener: DecisionListener): void {
    this.#listener = listener;
  }

  /** Keeps a decision in the place of the oldest. */
  push(trace: DecisionTrace): void {
    if (this.#most === 0) return;
    const { requestId, bytes } = trace;
    while (this.#size > 0 && (this.#size === this.#most || this.#bytes + bytes > this.#mostBytes)) {
      this.#dropOldest();
    }
    const older = this.#newest.get(requestId);
    const kept = new KeptDecision(trace, older);
    if (older !== undefined) older.newer = kept;
    this.#newest.set(requestId, kept);
    this.#ring[(this.#first + this.#size) % this.#most] = kept;
    this.#size += 1;
    this.#bytes += bytes;
    this.#listener?.placed(kept);
  }

  /** Joins what a ledger entry tells to its decision. O(attempts). */
  learn(entry: LedgerEntry, nowMs: number): void {
    if (entry.op === "book") return;
    for (let one = this.#newest.get(entry.requestId); one !== undefined; one = one.older) {
      if (one.trace.attempt !== entry.attempt || one.trace.leg !== entry.leg) continue;
      if (one.learn(entry, nowMs)) this.#listener?.ended(one);
      return;
    }
  }

  /** Newest first, at most `most`. O(kept). */
  latest(filter: DecisionFilter): KeptDecision[] {
    const found: KeptDecision[] = [];
    for (let i = this.#size - 1; i >= 0 && found.length < filter.most; i--) {
      const kept = this.#ring[(this.#first + i) % this.#most]!;
      if (matches(kept.trace, filter)) found.push(kept);
    }
    return found;
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    const all = this.latest({ most: Infinity });
    const bytes = all.reduce((sum, one) => sum + one.trace.bytes, 0);
    if (all.length !== this.#size || bytes !== this.#bytes) {
      throw new Error(`${all.length} decisions of ${bytes} bytes, ${this.#size} of ${this.#bytes}`);
    }
    const requests = new Set(all.map(({ trace }) => trace.requestId));
    if (requests.size !== this.#newest.size) {
      throw new Error(`${this.#newest.size} requests are found, ${requests.size} are kept`);
    }
    for (const one of all) {
      const isNewest = this.#newest.get(one.trace.requestId) === one;
      if (isNewest !== (one.newer === undefined)) throw new Error("a decision is linked wrong");
      if (one.older !== undefined && !all.includes(one.older)) {
        throw new Error("a decision is linked to one that is not kept");
      }
    }
  }

  #dropOldest(): void {
    const oldest = this.#ring[this.#first]!;
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#most;
    this.#size -= 1;
    this.#bytes -= oldest.trace.bytes;
    const { requestId } = oldest.trace;
    if (oldest.newer !== undefined) oldest.newer.older = undefined;
    else this.#newest.delete(requestId);
  }
}

function matches(trace: DecisionTrace, { id, model, worker, policy }: DecisionFilter): boolean {
  if (id !== undefined && trace.requestId !== id && trace.hints?.clientId !== id) return false;
  if (model !== undefined && trace.place.model.name !== model) return false;
  if (worker !== undefined && trace.worker.instance !== worker) return false;
  return policy === undefined || trace.policy === policy;
}
