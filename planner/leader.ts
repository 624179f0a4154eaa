import { encodeRecord, keys } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import type { Clock, Log, Registry } from "@pixii/runtime";

/** How long a claim holds, how often it is renewed, and how long before its end nothing is moved any more. */
export const leaderTimes = { ttlMs: 6_000, claimEveryMs: 2_000, marginMs: 1_000 } as const;

/** What a leader works with. */
export interface LeaderParts {
  readonly registry: Registry;
  readonly namespace: string;
  readonly instance: InstanceId;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Of several planners the one that acts: it holds a key that lives a few seconds and is claimed again before that. One that
 * cannot reach the registry stops acting before its claim has run out, so there are never two.
 */
export class Leader implements AsyncDisposable {
  readonly #parts: LeaderParts;
  readonly #timer: Disposable;
  readonly #key: string;
  readonly #value: string;
  #untilMs = -Infinity;
  #wasLeader = false;
  #claiming: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
    this.#key = keys(parts.namespace).leader;
    this.#value = encodeRecord("leader", { instance: parts.instance });
    this.#timer = parts.clock.every(leaderTimes.claimEveryMs, () => void this.claim());
  }

  /** True while this planner may act. */
  get isLeader(): boolean {
    return this.#parts.clock.nowMs() < this.#untilMs;
  }

  /** Claims now; also done by itself. */
  claim(): Promise<void> {
    return this.#claiming ??= this.#claim().finally(() => this.#claiming = undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#timer[Symbol.dispose]();
    await this.#claiming;
    if (!this.isLeader) return;
    this.#untilMs = -Infinity;
    // Another one need not wait for the end of the claim.
    await this.#parts.registry.remove(this.#key);
  }

  async #claim(): Promise<void> {
    if (this.#isClosed) return;
    const { registry, clock, log } = this.#parts;
    const { ttlMs, marginMs } = leaderTimes;
    // The claim runs from some time after this.
    const askedMs = clock.nowMs();
    const claimed = await registry.claim(this.#key, this.#value, { ttlMs });
    if (!claimed.ok) {
      log.warn("cannot claim to be the planner that acts", { reason: claimed.error.message });
      if (!this.#wasLeader || this.isLeader) return;
      this.#wasLeader = false;
      log.warn("this planner acts no more: its claim has run out");
      return;
    }
    this.#untilMs = claimed.value ? askedMs + ttlMs - marginMs : -Infinity;
    if (claimed.value === this.#wasLeader) return;
    this.#wasLeader = claimed.value;
    log.info(claimed.value ? "this planner acts" : "another planner acts");
  }
}
