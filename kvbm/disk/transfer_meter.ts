import type { Clock } from "@pixii/runtime";

/** A rate looks back this far: older transfers count less and less. */
const halfLifeMs = 10_000;

/** Bytes moved one way, and how fast while they moved. */
export class TransferMeter {
  readonly #clock: Clock;
  #bytes = 0;
  #recentBytes = 0;
  #recentMs = 0;
  #movingSinceMs = 0;
  #moving = 0;
  #lookedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lookedMs = clock.nowMs();
  }

  /** Bytes moved since the start. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Transfers under way. */
  get moving(): number {
    return this.#moving;
  }

  /** Bytes a second of the time in which something moved, lately; 0 where nothing has. */
  get bytesPerSecond(): number {
    return this.#recentMs === 0 ? 0 : this.#recentBytes / this.#recentMs * 1000;
  }

  /** A transfer begins; call the answer with its bytes when it ends (0 where it failed). */
  begin(): (bytes: number) => void {
    const nowMs = this.#clock.nowMs();
    if (this.#moving === 0) this.#movingSinceMs = nowMs;
    this.#moving += 1;
    return (bytes) => this.#end(bytes);
  }

  #end(bytes: number): void {
    const nowMs = this.#clock.nowMs();
    const fade = 0.5 ** ((nowMs - this.#lookedMs) / halfLifeMs);
    this.#lookedMs = nowMs;
    this.#recentBytes = this.#recentBytes * fade + bytes;
    // Transfers side by side share the time in which they move.
    this.#recentMs = this.#recentMs * fade + (nowMs - this.#movingSinceMs);
    this.#movingSinceMs = nowMs;
    this.#bytes += bytes;
    this.#moving -= 1;
  }
}
