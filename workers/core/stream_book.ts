import { ChurnMap, streamKeyText, xxh64 } from "@pixii/wire";
import type { EntryExtra, InstanceId, StreamKey, TokenLogprob } from "@pixii/wire";
import type { StepOutput } from "../engine.ts";

/** One stream as the worker remembers it: what was emitted, how far the frontend has read, when it was last renewed. */
export interface StreamRecord {
  readonly key: StreamKey;
  readonly stream: number;
  readonly tag: number;
  readonly frontend: InstanceId;
  /** Rank that runs it. */
  readonly rank: number;
  /** xxh64 of the key's text: its part of the rank's digest. */
  readonly hashHi: number;
  readonly hashLo: number;
  /** When its request's time is over, on the worker's clock. */
  readonly deadlineMs: number;
  /** Output index of `tokens[0]`. */
  firstIndex: number;
  /** Emitted and not yet acknowledged tokens, and their logprobs where asked for. */
  tokens: number[];
  logprobs: TokenLogprob[] | undefined;
  cached: EntryExtra["cached"];
  end: EntryExtra["end"];
  renewedMs: number;
  endedMs: number;
  /** The index the frontend expected at its last renewal: the same twice while more is there means a lost frame. */
  renewedIndex: number;
  /** It was given up by `expire`: said once. */
  isLost: boolean;
}

/** What a rank's load report says of its live streams. */
export interface ActiveStreams {
  readonly streams: number;
  /** Xor of the hashes of their keys. */
  readonly digestHi: number;
  readonly digestLo: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const encoder = new TextEncoder();

/** Bounds of a stream book. */
export interface StreamBookLimits {
  /** A live stream not renewed for this long is cancelled. */
  readonly renewLostMs: number;
  /** An ended stream is kept this long unless read to its end. */
  readonly keepMs: number;
  /** Cancelled keys remembered, so that a late generate does not run. */
  readonly tombstones: number;
}

/** What `admit` found. */
export type Admission =
  | { readonly kind: "new"; readonly record: StreamRecord }
  | { readonly kind: "duplicate"; readonly record: StreamRecord }
  | { readonly kind: "cancelled" };

/** All streams of one worker: duplicates, acknowledgement, resume, expiry. Pure: time is an argument. */
export class StreamBook {
  readonly #limits: StreamBookLimits;
  readonly #byKey = new ChurnMap<string, StreamRecord>();
  readonly #byStream = new ChurnMap<number, StreamRecord>();
  readonly #byFrontend = new Map<InstanceId, ChurnMap<number, StreamRecord>>();
  readonly #cancelled = new Set<string>();
  readonly #active: Mutable<ActiveStreams>[] = [];
  #live = 0;
  #nextStream = 1;

  constructor(limits: StreamBookLimits) {
    this.#limits = limits;
  }

  /** Streams that have not ended. */
  get live(): number {
    return this.#live;
  }

  /** Live streams of one rank; kept up, not counted. */
  active(rank: number): ActiveStreams {
    return this.#activeOf(rank);
  }

  /** Streams that have not ended, of one rank. */
  *liveOf(rank: number): Iterable<StreamRecord> {
    for (const record of this.#byKey.values()) {
      if (record.rank === rank && record.end === undefined) yield record;
    }
  }

  /** True where a stream of this frontend is kept. */
  knows(frontend: InstanceId): boolean {
    return this.#byFrontend.has(frontend);
  }

  /** Takes a stream in, or finds it known already. */
  admit(
    request: {
      readonly key: StreamKey;
      readonly tag: number;
      readonly frontend: InstanceId;
      readonly emitted: number;
      /** 0 if left out. */
      readonly rank?: number;
      /** None if left out. */
      readonly remainingMs?: number;
    },
    nowMs: number,
  ): Admission {
    const text = streamKeyText(request.key);
    if (this.#cancelled.has(text)) return { kind: "cancelled" };
    const known = this.#byKey.get(text);
    if (known !== undefined) return { kind: "duplicate", record: known };
    const hash = xxh64(encoder.encode(text));
    const record: StreamRecord = {
      key: request.key,
      rank: request.rank ?? 0,
      hashHi: hash.hi,
      hashLo: hash.lo,
      deadlineMs: nowMs + (request.remainingMs ?? Infinity),
      stream: this.#nextStream++,
      tag: request.tag,
      frontend: request.frontend,
      firstIndex: request.emitted,
      tokens: [],
      logprobs: undefined,
      cached: undefined,
      end: undefined,
      renewedMs: nowMs,
      endedMs: 0,
      renewedIndex: -1,
      isLost: false,
    };
    this.#count(record, 1);
    this.#byKey.set(text, record);
    this.#byStream.set(record.stream, record);
    let mine = this.#byFrontend.get(record.frontend);
    if (mine === undefined) this.#byFrontend.set(record.frontend, mine = new ChurnMap());
    mine.set(record.tag, record);
    return { kind: "new", record };
  }

  /** Forgets a stream the engine refused. */
  drop(record: StreamRecord): void {
    if (record.end === undefined) this.#count(record, -1);
    this.#byKey.delete(streamKeyText(record.key));
    this.#byStream.delete(record.stream);
    const mine = this.#byFrontend.get(record.frontend);
    if (mine?.get(record.tag) === record) mine.delete(record.tag);
    if (mine?.size === 0) this.#byFrontend.delete(record.frontend);
  }

  /** The stream with this key. */
  find(key: StreamKey): StreamRecord | undefined {
    return this.#byKey.get(streamKeyText(key));
  }

  /** Remembers a cancel, known stream or not. Returns the stream to cancel in the engine, if it lives. */
  cancel(key: StreamKey): StreamRecord | undefined {
    const text = streamKeyText(key);
    if (this.#cancelled.size >= this.#limits.tombstones) {
      this.#cancelled.delete(this.#cancelled.values().next().value!);
    }
    this.#cancelled.add(text);
    const record = this.#byKey.get(text);
    return record?.end === undefined ? record : undefined;
  }

  /** Keeps one step's output of a stream; `undefined` where the stream is unknown. */
  emit(output: StepOutput, nowMs: number): StreamRecord | undefined {
    const record = this.#byStream.get(output.stream);
    if (record === undefined || record.end !== undefined) return undefined;
    for (const token of output.tokens) record.tokens.push(token);
    if (output.extra?.logprobs !== undefined) {
      record.logprobs ??= [];
      record.logprobs.push(...output.extra.logprobs);
    }
    record.cached ??= output.extra?.cached;
    if (output.extra?.end !== undefined) {
      record.end = output.extra.end;
      this.#count(record, -1);
      record.endedMs = nowMs;
    }
    return record;
  }

  /** Applies a renewal and returns the streams whose frontend seems to have missed a frame. */
  renew(
    frontend: InstanceId,
    streams: readonly (readonly [tag: number, nextIndex: number])[],
    nowMs: number,
  ): StreamRecord[] {
    const missed: StreamRecord[] = [];
    const mine = this.#byFrontend.get(frontend);
    if (mine === undefined) return missed;
    for (const [tag, nextIndex] of streams) {
      const record = mine.get(tag);
      if (record === undefined) continue;
      record.renewedMs = nowMs;
      this.#acknowledge(record, nextIndex);
      const waiting = record.tokens.length > 0 || record.end !== undefined;
      if (waiting && record.renewedIndex === nextIndex) missed.push(record);
      record.renewedIndex = nextIndex;
    }
    return missed;
  }

  /** What to resend from `fromIndex` on; `undefined` where those tokens are gone. */
  resume(record: StreamRecord, fromIndex: number): {
    readonly firstIndex: number;
    readonly tokens: readonly number[];
    readonly extra: EntryExtra | undefined;
  } | undefined {
    const skip = fromIndex - record.firstIndex;
    // The first token of a split stream came from who computed its prompt: its reader is ahead, and nothing is missing.
    if (skip === 1 && record.tokens.length === 0 && record.end === undefined) {
      return { firstIndex: fromIndex, tokens: [], extra: undefined };
    }
    if (skip < 0 || skip > record.tokens.length) return undefined;
    const { cached, end } = record;
    const logprobs = record.logprobs?.slice(skip);
    const plain = cached === undefined && end === undefined && logprobs === undefined;
    return {
      firstIndex: fromIndex,
      tokens: record.tokens.slice(skip),
      extra: plain ? undefined : { cached, logprobs, end },
    };
  }

  /** Streams to cancel because nobody renewed them or their time is over, each once; forgets ended ones that are read or too old. */
  expire(nowMs: number): StreamRecord[] {
    const lost: StreamRecord[] = [];
    for (const record of this.#byKey.values()) {
      if (record.end === undefined) {
        const over = nowMs - record.renewedMs > this.#limits.renewLostMs ||
          nowMs > record.deadlineMs;
        if (!over || record.isLost) continue;
        record.isLost = true;
        lost.push(record);
      } else {
        const read = nowMs - record.renewedMs > this.#limits.renewLostMs;
        if (nowMs - record.endedMs > this.#limits.keepMs || (read && record.tokens.length === 0)) {
          this.drop(record);
        }
      }
    }
    return lost;
  }

  #activeOf(rank: number): Mutable<ActiveStreams> {
    return this.#active[rank] ??= { streams: 0, digestHi: 0, digestLo: 0 };
  }

  /** A stream begins or ends. */
  #count(record: StreamRecord, by: 1 | -1): void {
    const active = this.#activeOf(record.rank);
    this.#live += by;
    active.streams += by;
    active.digestHi = (active.digestHi ^ record.hashHi) >>> 0;
    active.digestLo = (active.digestLo ^ record.hashLo) >>> 0;
  }

  #acknowledge(record: StreamRecord, nextIndex: number): void {
    const read = Math.min(nextIndex - record.firstIndex, record.tokens.length);
    if (read <= 0) return;
    record.tokens.splice(0, read);
    record.logprobs?.splice(0, read);
    record.firstIndex += read;
  }
}
