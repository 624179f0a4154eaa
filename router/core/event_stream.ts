import { idWords, kvEventsHeadBytes } from "@pixii/wire";
import type { InstanceId, KvEventBatch, KvEventsHead } from "@pixii/wire";
import { EventBuffer } from "./event_buffer.ts";
import type { EventSource } from "./event_source.ts";
import type { ApplyOutcome, OwnerSlot, PrefixIndex } from "./prefix_index.ts";
import { SnapshotPace } from "./snapshot_pace.ts";
import type { GapCause, StreamChange, StreamState, StreamWord } from "./stream_change.ts";
import { streamLimits } from "./stream_limits.ts";

/** What the next batch of an exact stream comes to, nearly always. */
const applied: StreamChange = { result: "applied", fell: undefined };

/** The events of one source, in order. Pure: time is an argument, the snapshot is fetched by others. */
export class EventStream {
  readonly source: EventSource;
  readonly #index: PrefixIndex;
  readonly #slot: OwnerSlot;
  readonly #buffer = new EventBuffer();
  readonly #former: InstanceId[] = [];
  #state: StreamState = "new";
  #epoch: InstanceId | undefined;
  /** Its words as a message's head has them. */
  #epochWords: Uint32Array = new Uint32Array(2);
  readonly #body = { at: kvEventsHeadBytes, ops: 0 };
  #number = 0;
  /** The highest number a report has told of. */
  #told = 0;
  #aheadMs: number | undefined;
  readonly #pace = new SnapshotPace();
  #swappedMs = -Infinity;
  /** Only a snapshot makes it good: later batches alone never do. */
  #mustSwap = false;

  constructor(source: EventSource, index: PrefixIndex, slot: OwnerSlot) {
    this.source = source;
    this.#index = index;
    this.#slot = slot;
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Number of the last batch applied, in this epoch. */
  get number(): number {
    return this.#number;
  }

  get epoch(): InstanceId | undefined {
    return this.#epoch;
  }

  /** The highest number that a report or a batch which waits has told of; 0 where none has. */
  get heard(): number {
    return Math.max(this.#told, this.#buffer.last);
  }

  /** Batches that wait. */
  get buffered(): number {
    return this.#buffer.size;
  }

  /** Block copies indexed. */
  get blocks(): number {
    return this.#index.blocksOf(this.#slot);
  }

  /** A batch of this source came. */
  receive(batch: KvEventBatch, nowMs: number): StreamChange {
    if (this.#former.includes(batch.epoch)) return { result: "old-epoch" };
    if (batch.blockSize !== this.source.blockSize) return { result: "skipped" };
    if (batch.epoch !== this.#epoch) this.#begin(batch.epoch);
    if (this.#state === "degraded") return { result: "skipped" };
    if (batch.number <= this.#number) return { result: "duplicate" };
    if (this.#state === "new") this.#state = "exact";
    if (batch.number === this.#number + 1 && this.#state === "exact") {
      const isFull = this.#take(batch, nowMs);
      if (isFull) return { result: "skipped", isFull };
      return { result: "applied", fell: this.#mustSwap ? this.#fall("anomaly") : undefined };
    }
    if (!this.#buffer.add(batch)) return { result: "duplicate" };
    if (this.#state === "exact") {
      return { result: "buffered", fell: this.#fall(this.#number === 0 ? "late-join" : "gap") };
    }
    const before = this.#number;
    const isFull = this.#drain(nowMs);
    return { result: this.#number > before ? "applied" : "buffered", isFull };
  }

  /** True where a message with this head may be applied as it lies: the next of an exact stream. */
  isNext(head: KvEventsHead): boolean {
    const { epoch } = head;
    return this.#state === "exact" && head.number === this.#number + 1 &&
      epoch[0] === this.#epochWords[0] && epoch[1] === this.#epochWords[1] &&
      head.blockSize === this.source.blockSize && head.cacheGroup === 0 &&
      this.#epoch !== undefined;
  }

  /** Applies the message of a head that `isNext`; nothing, and nothing changed, where it is damaged. */
  receiveEncoded(bytes: Uint8Array, head: KvEventsHead, nowMs: number): StreamChange | undefined {
    this.#body.ops = head.ops;
    const outcome = this.#index.applyEncoded(this.#slot, bytes, this.#body);
    if (outcome === undefined) return undefined;
    if (this.#took(outcome, head.number, nowMs)) return { result: "skipped", isFull: true };
    return this.#mustSwap ? { result: "applied", fell: this.#fall("anomaly") } : applied;
  }

  /** The source says what its last number is; returns why the stream fell behind, where it did. */
  reported(number: number, nowMs: number): GapCause | undefined {
    this.#told = Math.max(this.#told, number);
    if (this.#state === "new") {
      if (number > 0) return this.#fall("late-join");
      this.#state = "exact";
    }
    if (this.#state === "exact" && this.#told > this.#number) this.#aheadMs ??= nowMs;
    return undefined;
  }

  /**
   * The source says, under an epoch, what its last number is; returns why the stream fell behind, where it did. A new
   * epoch begins by it as by a batch; the word of a former one, or of other blocks, says nothing.
   */
  told({ epoch, blockSize, number }: StreamWord, nowMs: number): GapCause | undefined {
    if (this.#former.includes(epoch) || blockSize !== this.source.blockSize) return undefined;
    if (epoch !== this.#epoch) this.#begin(epoch);
    return this.reported(number, nowMs);
  }

  /** A source that does not report is asked at once. */
  ask(): void {
    if (this.#state !== "new") return;
    this.#mustSwap = true;
    this.#fall("asked");
  }

  /** Looks for a lost last batch; returns why the stream fell behind, where it did. */
  tick(nowMs: number): GapCause | undefined {
    if (this.#aheadMs === undefined) return undefined;
    if (this.#state !== "exact" || this.#number >= this.#told) this.#aheadMs = undefined;
    else if (nowMs - this.#aheadMs >= streamLimits.lostLastMs) return this.#fall("lost-last");
    return undefined;
  }

  /** True where `tick` has something to look at. */
  get isAhead(): boolean {
    return this.#aheadMs !== undefined;
  }

  /** True where a snapshot should be fetched now. */
  isDue(nowMs: number): boolean {
    return (this.#state === "behind" || this.#state === "degraded") && this.#pace.isDue(nowMs);
  }

  /** A snapshot is being fetched; ends with `fetchFailed` or `swap`. */
  fetchBegan(): void {
    this.#pace.began();
  }

  /** No snapshot was to be had. */
  fetchFailed(nowMs: number): void {
    this.#pace.ended();
    this.#pace.later(nowMs);
    if (this.#state === "behind" && this.#pace.failures >= streamLimits.mostFailures) {
      this.#degrade();
    }
    if (this.#state === "degraded") this.#pace.waitUntil(nowMs + streamLimits.failedRetryMs);
  }

  /** The owner has no such source: nothing is missing until a batch says otherwise. */
  absent(): void {
    this.#degrade();
    this.#pace.ended();
    this.#pace.good();
    this.#mustSwap = false;
    this.#told = 0;
    this.#state = "new";
  }

  /** A whole snapshot came: it takes the place of what is indexed, and what waited is applied after it. */
  swap(snapshot: KvEventBatch, nowMs: number): "swapped" | "needless" | "stale" | "full" {
    const isSameEpoch = snapshot.epoch === this.#epoch;
    this.#pace.ended();
    if (this.#state === "exact" && isSameEpoch && snapshot.number <= this.#number) {
      return "needless";
    }
    if (
      this.#former.includes(snapshot.epoch) || (isSameEpoch && snapshot.number < this.#number)
    ) {
      this.fetchFailed(nowMs);
      return "stale";
    }
    if (!isSameEpoch) this.#begin(snapshot.epoch);
    this.#index.clear(this.#slot);
    this.#state = "behind";
    if (this.#apply(snapshot).isFull) {
      this.#giveUp(nowMs);
      return "full";
    }
    this.#number = snapshot.number;
    this.#swappedMs = nowMs;
    this.#mustSwap = false;
    this.#aheadMs = undefined;
    this.#buffer.dropUpTo(snapshot.number);
    if (this.#drain(nowMs)) return "full";
    if (!this.#isExact()) this.#pace.later(nowMs);
    return "swapped";
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    if (this.#state === "exact" && this.#buffer.size > 0) {
      throw new Error("batches wait for nothing");
    }
    if ((this.#state === "new" || this.#state === "degraded") && this.blocks > 0) {
      throw new Error(`a ${this.#state} stream holds blocks`);
    }
  }

  #isExact(): boolean {
    return this.#state === "exact";
  }

  /** A new epoch starts with no blocks. */
  #begin(epoch: InstanceId): void {
    if (this.#epoch !== undefined) {
      this.#former.push(this.#epoch);
      if (this.#former.length > streamLimits.formerEpochs) this.#former.shift();
      this.#index.clear(this.#slot);
      this.#buffer.clear();
      this.#number = 0;
      this.#told = 0;
      this.#aheadMs = undefined;
      this.#mustSwap = false;
      this.#state = "exact";
    }
    this.#epoch = epoch;
    this.#epochWords = idWords(epoch);
  }

  #fall(cause: GapCause): GapCause {
    this.#state = "behind";
    this.#aheadMs = undefined;
    return cause;
  }

  #degrade(): void {
    this.#state = "degraded";
    this.#index.clear(this.#slot);
    this.#buffer.clear();
    this.#number = 0;
    this.#aheadMs = undefined;
  }

  #giveUp(nowMs: number): void {
    this.#degrade();
    this.#pace.waitUntil(nowMs + streamLimits.fullRetryMs);
  }

  #apply(batch: KvEventBatch): ApplyOutcome {
    // Blocks of other cache groups say nothing about the whole prefix.
    if (batch.cacheGroup !== 0) return { isFull: false, anomalies: 0 };
    return this.#index.apply(this.#slot, batch.events);
  }

  /** Applies the next batch; true where it found no room. */
  #take(batch: KvEventBatch, nowMs: number): boolean {
    return this.#took(this.#apply(batch), batch.number, nowMs);
  }

  /** A batch was applied; true where it found no room. */
  #took({ isFull, anomalies }: ApplyOutcome, number: number, nowMs: number): boolean {
    if (isFull) {
      this.#giveUp(nowMs);
      return true;
    }
    this.#number = number;
    if (anomalies > 0) {
      this.#mustSwap = true;
      this.#pace.waitAtLeastUntil(this.#swappedMs + streamLimits.anomalyEveryMs);
    }
    return false;
  }

  /** Applies what waits and now follows; exact again where nothing is known to be missing. True where there was no room. */
  #drain(nowMs: number): boolean {
    for (
      let next = this.#buffer.take(this.#number + 1);
      next !== undefined;
      next = this.#buffer.take(this.#number + 1)
    ) {
      if (this.#take(next, nowMs)) return true;
    }
    if (this.#buffer.size === 0 && this.#number >= this.#told && !this.#mustSwap) {
      this.#state = "exact";
      this.#pace.good();
    }
    return false;
  }
}
