import { maxEntryTokens, StepFrameWriter } from "@pixii/wire";
import type { EntryExtra, InstanceId, Subjects } from "@pixii/wire";
import type { Bus } from "@pixii/runtime";
import type { StreamRecord } from "./core/stream_book.ts";
import type { WorkerMetrics } from "./metrics.ts";

/** What a stream says in one frame. */
export interface FrameEntry {
  readonly firstIndex: number;
  readonly tokens: readonly number[];
  readonly extra: EntryExtra | undefined;
}

/** Most tokens of one entry that carries log-probabilities: each takes up to 330 bytes, and a message 512 KiB. */
const mostLogprobTokens = 1024;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The frame under way to one frontend. */
interface Outgoing {
  readonly frontend: InstanceId;
  readonly subject: string;
  readonly writer: StepFrameWriter;
  isOpen: boolean;
}

/**
 * Publishes step frames: one message per step and frontend, all its streams inside, those of every rank that stepped at
 * the same time too. Entries are written at once, so nothing of a step is held.
 */
export class FrameSender {
  readonly #single = new StepFrameWriter();
  readonly #outgoing = new Map<InstanceId, Outgoing>();
  readonly #open: Outgoing[] = [];
  /** Neighbours in a step mostly belong to one frontend. */
  #last: Outgoing | undefined;
  readonly #options: {
    readonly bus: Bus;
    readonly subjects: Subjects;
    readonly worker: InstanceId;
    readonly metrics: WorkerMetrics;
  };

  constructor(
    options: { bus: Bus; subjects: Subjects; worker: InstanceId; metrics: WorkerMetrics },
  ) {
    this.#options = options;
  }

  /** Adds what a stream says in step `step` to the frame of its frontend. */
  add(record: StreamRecord, entry: FrameEntry, step: number): void {
    const to = this.#to(record.frontend);
    if (!to.isOpen) this.#begin(to, step);
    if (entry.tokens.length <= mostLogprobTokens) return this.#put(to, record, entry, step);
    for (const piece of piecesOf(entry)) this.#put(to, record, piece, step);
  }

  /** Publishes everything added. What the bus does not take stays with the stream book: frontends resume. */
  send(): void {
    for (const to of this.#open) {
      this.#publish(to);
      to.isOpen = false;
    }
    this.#open.length = 0;
  }

  /**
   * A frame with one entry, as the reply to `generate` or `resume`; a copy. Of an entry too long for a message it holds
   * the beginning: the frontend asks again from there.
   */
  single(
    record: StreamRecord,
    entry: FrameEntry,
    options: { readonly accepted: boolean; readonly step: number },
  ): Uint8Array {
    this.#single.begin(this.#options.worker, options.step);
    const [piece] = piecesOf(entry);
    put(this.#single, record, piece, options.accepted);
    return this.#single.finish().slice();
  }

  /** Forgets the buffers of frontends without a stream. */
  prune(isKnown: (frontend: InstanceId) => boolean): void {
    for (const [frontend, { isOpen }] of this.#outgoing) {
      if (!isOpen && !isKnown(frontend)) this.#outgoing.delete(frontend);
    }
    this.#last = undefined;
  }

  #to(frontend: InstanceId): Outgoing {
    if (this.#last?.frontend === frontend) return this.#last;
    let to = this.#outgoing.get(frontend);
    if (to === undefined) {
      const subject = this.#options.subjects.inbox(frontend);
      to = { frontend, subject, writer: new StepFrameWriter(), isOpen: false };
      this.#outgoing.set(frontend, to);
    }
    this.#last = to;
    return to;
  }

  #put(to: Outgoing, record: StreamRecord, entry: FrameEntry, step: number): void {
    if (put(to.writer, record, entry)) return;
    this.#publish(to);
    to.writer.begin(this.#options.worker, step);
    put(to.writer, record, entry);
  }

  #begin(to: Outgoing, step: number): void {
    to.writer.begin(this.#options.worker, step);
    to.isOpen = true;
    this.#open.push(to);
  }

  #publish(to: Outgoing): void {
    const sent = this.#options.bus.publish(to.subject, to.writer.finish());
    if (sent.ok) this.#options.metrics.frames.add();
    else this.#options.metrics.lostFrames.add();
  }
}

/** An entry in pieces that each fit a message: only a stream sent again after a long gap has more than one. */
function piecesOf(entry: FrameEntry): readonly FrameEntry[] {
  const { tokens, extra } = entry;
  const most = extra?.logprobs === undefined ? maxEntryTokens : mostLogprobTokens;
  if (tokens.length <= most) return [entry];
  const pieces: FrameEntry[] = [];
  for (let at = 0; at < tokens.length; at += most) {
    const piece: EntryExtra = {};
    if (at === 0 && extra?.cached !== undefined) piece.cached = extra.cached;
    if (extra?.logprobs !== undefined) piece.logprobs = extra.logprobs.slice(at, at + most);
    if (at + most >= tokens.length && extra?.end !== undefined) piece.end = extra.end;
    pieces.push({
      firstIndex: entry.firstIndex + at,
      tokens: tokens.slice(at, at + most),
      extra: Object.keys(piece).length === 0 ? undefined : piece,
    });
  }
  return pieces;
}

/** One object for all entries: the writer keeps nothing of it. */
const scratch: Mutable<Parameters<StepFrameWriter["add"]>[0]> = {
  tag: 0,
  firstIndex: 0,
  tokens: [],
  extra: undefined,
  accepted: false,
};

function put(
  writer: StepFrameWriter,
  record: StreamRecord,
  entry: FrameEntry,
  accepted = false,
): boolean {
  scratch.tag = record.tag;
  scratch.firstIndex = entry.firstIndex;
  scratch.tokens = entry.tokens;
  scratch.extra = entry.extra;
  scratch.accepted = accepted;
  return writer.add(scratch);
}
