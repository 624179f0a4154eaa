import { StepFrameWriter } from "@pixii/wire";
import type { EntryExtra, InstanceId, Subjects } from "@pixii/wire";
import type { Bus } from "@pixii/runtime";
import type { StreamRecord } from "./core/stream_book.ts";
import type { WorkerMetrics } from "./metrics.ts";

/** One stream's part of a frame. */
export interface FrameEntry {
  readonly record: StreamRecord;
  readonly firstIndex: number;
  readonly tokens: readonly number[];
  readonly extra: EntryExtra | undefined;
}

/** Publishes step frames: one message per step and frontend, all its streams inside. */
export class FrameSender {
  readonly #writer = new StepFrameWriter();
  readonly #byFrontend = new Map<InstanceId, FrameEntry[]>();
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

  /** Adds an entry to the frame of its frontend. */
  add(entry: FrameEntry): void {
    const entries = this.#byFrontend.get(entry.record.frontend);
    if (entries === undefined) this.#byFrontend.set(entry.record.frontend, [entry]);
    else entries.push(entry);
  }

  /** Publishes everything added. What the bus does not take stays with the stream book: frontends resume. */
  send(step: number): void {
    for (const [frontend, entries] of this.#byFrontend) {
      const subject = this.#options.subjects.inbox(frontend);
      this.#writer.begin(this.#options.worker, step);
      for (const entry of entries) {
        if (this.#put(entry)) continue;
        this.#publish(subject);
        this.#writer.begin(this.#options.worker, step);
        this.#put(entry);
      }
      this.#publish(subject);
    }
    this.#byFrontend.clear();
  }

  /** A frame with one entry, as the reply to `generate` or `resume`; a copy. */
  single(entry: FrameEntry, options: { accepted: boolean; step: number }): Uint8Array {
    this.#writer.begin(this.#options.worker, options.step);
    this.#put(entry, options.accepted);
    return this.#writer.finish().slice();
  }

  #put(entry: FrameEntry, accepted = false): boolean {
    return this.#writer.add({
      tag: entry.record.tag,
      firstIndex: entry.firstIndex,
      tokens: entry.tokens,
      extra: entry.extra,
      accepted,
    });
  }

  #publish(subject: string): void {
    const sent = this.#options.bus.publish(subject, this.#writer.finish());
    if (sent.ok) this.#options.metrics.frames.add();
    else this.#options.metrics.lostFrames.add();
  }
}
