import type { KvEventBatch, KvEventsHead, ModelHash } from "@pixii/wire";
import { sourceKey } from "./event_source.ts";
import type { EventSource } from "./event_source.ts";
import { EventStream } from "./event_stream.ts";
import type { GapCause, StreamChange, StreamWord } from "./stream_change.ts";
import { IndexBudget } from "./index_budget.ts";
import type { OwnerSlot, PrefixIndex } from "./prefix_index.ts";
import { SourceHeads } from "./source_heads.ts";
import { RunIndex } from "./run_index.ts";

/** A stream with its place in an index. */
export interface OpenStream {
  readonly key: string;
  readonly stream: EventStream;
  readonly index: PrefixIndex;
  readonly slot: OwnerSlot;
}

/** A stream that fell behind, and why. */
export interface Fall {
  readonly source: EventSource;
  readonly cause: GapCause;
}

/** The event streams of all known sources, and the indexes they feed: one per model and block size. */
export class EventStreams {
  readonly budget: IndexBudget;
  readonly #streams = new Map<string, OpenStream>();
  readonly #indexes = new Map<string, PrefixIndex>();
  readonly #heads = new SourceHeads();
  /** Streams that may need a snapshot or a look at the clock. */
  readonly #watched = new Set<OpenStream>();

  constructor(capacityBytes: number) {
    this.budget = new IndexBudget(capacityBytes);
  }

  /** All streams, in the order they were opened. */
  all(): Iterable<OpenStream> {
    return this.#streams.values();
  }

  /** Sources known. */
  get size(): number {
    return this.#streams.size;
  }

  /** The index of one model and block size, if anybody feeds it. */
  indexOf(model: ModelHash, blockSize: number): PrefixIndex | undefined {
    return this.#indexes.get(indexKey(model, blockSize));
  }

  /** The stream with this key. */
  get(key: string): OpenStream | undefined {
    return this.#streams.get(key);
  }

  /** Follows a source; `isAsked`: it does not report, so its snapshot is wanted at once. Returns the known one where there is one. */
  open(source: EventSource, isAsked: boolean): OpenStream {
    const key = sourceKey(source);
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const index = this.#index(source.model, source.blockSize);
    const slot = index.open();
    const opened = { key, stream: new EventStream(source, index, slot), index, slot };
    this.#streams.set(key, opened);
    this.#heads.add(opened);
    if (isAsked) {
      opened.stream.ask();
      this.#watched.add(opened);
    }
    return opened;
  }

  /** Forgets a source and its blocks. */
  close(key: string): void {
    const opened = this.#streams.get(key);
    if (opened === undefined) return;
    this.#streams.delete(key);
    this.#heads.delete(opened);
    this.#watched.delete(opened);
    opened.index.drop(opened.slot);
    const { model, blockSize } = opened.stream.source;
    if (opened.index.owners > 0) return;
    opened.index.release();
    this.#indexes.delete(indexKey(model, blockSize));
  }

  /** The stream of the source that a message's head names. */
  find(head: KvEventsHead): OpenStream | undefined {
    return this.#heads.find(head);
  }

  /** A message of the stream's source came, whose head `isNext`; nothing where it is damaged. */
  receiveEncoded(
    opened: OpenStream,
    bytes: Uint8Array,
    message: { readonly head: KvEventsHead; readonly nowMs: number },
  ): StreamChange | undefined {
    const change = opened.stream.receiveEncoded(bytes, message.head, message.nowMs);
    // An exact stream that stays so needs no look, unless it was watched for a lost last batch.
    if (change?.fell !== undefined || change?.isFull || opened.stream.isAhead) this.#look(opened);
    return change;
  }

  /** A batch came; nothing where its source is not known. */
  receive(batch: KvEventBatch, nowMs: number): StreamChange | undefined {
    const opened = this.#streams.get(sourceKey(batch));
    if (opened === undefined) return undefined;
    const change = opened.stream.receive(batch, nowMs);
    this.#look(opened);
    return change;
  }

  /** A source told its last number; returns why its stream fell behind, where it did. */
  reported(key: string, number: number, nowMs: number): GapCause | undefined {
    const opened = this.#streams.get(key);
    const cause = opened?.stream.reported(number, nowMs);
    if (opened !== undefined) this.#look(opened);
    return cause;
  }

  /** A source told its last number under an epoch; returns why its stream fell behind, where it did. */
  told(key: string, word: StreamWord, nowMs: number): GapCause | undefined {
    const opened = this.#streams.get(key);
    const cause = opened?.stream.told(word, nowMs);
    if (opened !== undefined) this.#look(opened);
    return cause;
  }

  /** Looks for lost last batches. O(streams that are not exact). */
  tick(nowMs: number): Fall[] {
    const falls: Fall[] = [];
    for (const opened of this.#watched) {
      const cause = opened.stream.tick(nowMs);
      if (cause !== undefined) falls.push({ source: opened.stream.source, cause });
      this.#look(opened);
    }
    return falls;
  }

  /** At most `most` streams whose snapshot should be fetched now. */
  due(nowMs: number, most: number): OpenStream[] {
    const due: OpenStream[] = [];
    for (const opened of this.#watched) {
      if (due.length >= most) break;
      if (opened.stream.isDue(nowMs)) due.push(opened);
    }
    return due;
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    let blocks = 0;
    for (const index of this.#indexes.values()) {
      index.checkIntegrity();
      blocks += index.blocks;
    }
    if (blocks !== this.budget.usedBlocks) {
      throw new Error(`${blocks} blocks are indexed, ${this.budget.usedBlocks} are counted`);
    }
    for (const opened of this.#streams.values()) {
      opened.stream.checkIntegrity();
      if (opened.stream.state === "behind" && !this.#watched.has(opened)) {
        throw new Error("a stream is behind and nobody looks after it");
      }
    }
  }

  #look(opened: OpenStream): void {
    const { state, isAhead } = opened.stream;
    if (isAhead || state === "behind" || state === "degraded") this.#watched.add(opened);
    else this.#watched.delete(opened);
  }

  #index(model: ModelHash, blockSize: number): PrefixIndex {
    const key = indexKey(model, blockSize);
    let index = this.#indexes.get(key);
    if (index === undefined) this.#indexes.set(key, index = new RunIndex(this.budget));
    return index;
  }
}

function indexKey(model: ModelHash, blockSize: number): string {
  return `${model}.${blockSize}`;
}
