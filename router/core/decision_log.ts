import type { DecisionRecord, InstanceId, RequestId } from "@pixii/wire";

/** A decision as it is kept. */
export interface KeptDecision {
  readonly record: DecisionRecord;
  readonly frontend: InstanceId;
  readonly priority: number;
  readonly session: string | undefined;
  readonly remainingMs: number;
}

/** The last decisions, in a ring. */
export class DecisionLog {
  readonly #most: number;
  readonly #ring: KeptDecision[] = [];
  #next = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Keeps a decision in the place of the oldest. */
  push(decision: KeptDecision): void {
    if (this.#most === 0) return;
    this.#ring[this.#next] = decision;
    this.#next = (this.#next + 1) % this.#most;
  }

  /** Newest first, at most `most`; only those of one request where one is named. */
  latest(most: number, request?: RequestId): KeptDecision[] {
    const found: KeptDecision[] = [];
    const size = this.#ring.length;
    for (let i = 1; i <= size && found.length < most; i++) {
      const decision = this.#ring[(this.#next - i + size) % size];
      if (request === undefined || decision.record.requestId === request) found.push(decision);
    }
    return found;
  }
}
