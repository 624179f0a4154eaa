/** Moments kept. */
const mostMoments = 32;
/** Shortest and longest wait that is proposed. */
const leastWaitMs = 1_000;
const longestWaitMs = 60_000;

/** How fast a queue gets shorter, from the last requests that left it for a worker; what `Retry-After` is computed from. */
export class DrainRate {
  #startMs = 0;
  #moments: number[] = [];

  /** Somebody waits where nobody did. */
  began(nowMs: number): void {
    this.#startMs = nowMs;
    this.#moments = [];
  }

  /** One left for a worker. */
  left(nowMs: number): void {
    this.#moments.push(nowMs);
    if (this.#moments.length > mostMoments) this.#startMs = this.#moments.shift()!;
  }

  /** Requests per second; nothing until one left. */
  perSecond(nowMs: number): number | undefined {
    if (this.#moments.length === 0) return undefined;
    return this.#moments.length * 1_000 / Math.max(1, nowMs - this.#startMs);
  }

  /** How long until `ahead` requests and one more have left at this rate: 1 s to 60 s. */
  waitMs(ahead: number, nowMs: number): number {
    const rate = this.perSecond(nowMs);
    // Nobody left yet: it takes at least as long again as it has taken so far.
    const waitMs = rate === undefined ? nowMs - this.#startMs : (ahead + 1) * 1_000 / rate;
    return Math.round(Math.min(longestWaitMs, Math.max(leastWaitMs, waitMs)));
  }
}
