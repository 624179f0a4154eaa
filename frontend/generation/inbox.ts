import { ChurnMap, decodeStepFrame } from "@pixii/wire";
import type { InstanceId, StepEntry } from "@pixii/wire";
import type { Bus, Clock, Log } from "@pixii/runtime";
import type { GenerationMetrics } from "./generation_metrics.ts";
import type { WorkerView } from "./worker_view.ts";

/** Most ended streams per worker that are acknowledged at one time; what is over is forgotten by the worker later. */
const mostRead = 16_384;

/** Who gets the entries of one tag. */
export interface InboxReader {
  readonly tag: number;
  readonly worker: { readonly instance: InstanceId };
  /** One entry of a step frame that came at `nowMs`, in arrival order; valid for ever. */
  take(entry: StepEntry, nowMs: number): void;
  /** `take` threw: a bug; ends the stream. */
  broken(error: unknown): void;
}

/** This frontend's inbox: hands step-frame entries to live attempts by tag. Entries of attempts that are over are dropped. */
export class Inbox<Reader extends InboxReader> implements Disposable {
  readonly #clock: Clock;
  readonly #workers: WorkerView;
  readonly #metrics: GenerationMetrics;
  readonly #log: Log;
  readonly #subscription: Disposable;
  readonly #byTag = new ChurnMap<number, Reader>();
  readonly #byWorker = new Map<InstanceId, ChurnMap<number, Reader>>();
  #read = new Map<InstanceId, [number, number][]>();
  #lastTag: number;

  constructor(options: {
    bus: Bus;
    clock: Clock;
    subject: string;
    firstTag: number;
    workers: WorkerView;
    metrics: GenerationMetrics;
    log: Log;
  }) {
    this.#clock = options.clock;
    this.#workers = options.workers;
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#lastTag = options.firstTag >>> 0;
    this.#subscription = options.bus.subscribe(
      options.subject,
      (message) => this.#frame(message.payload),
    );
  }

  /** A tag no live attempt has. */
  freshTag(): number {
    do this.#lastTag = (this.#lastTag + 1) >>> 0; while (this.#byTag.has(this.#lastTag));
    return this.#lastTag;
  }

  /** Entries with the reader's tag go to it from now on. */
  open(reader: Reader): void {
    const { instance } = reader.worker;
    this.#byTag.set(reader.tag, reader);
    let mine = this.#byWorker.get(instance);
    if (mine === undefined) this.#byWorker.set(instance, mine = new ChurnMap());
    mine.set(reader.tag, reader);
  }

  /** The reader gets nothing more. `readTo`: the stream was read to this index, which its worker is told once. */
  close(reader: Reader, readTo?: number): void {
    const { instance } = reader.worker;
    if (readTo !== undefined) {
      const read = this.#read.get(instance);
      if (read === undefined) this.#read.set(instance, [[reader.tag, readTo]]);
      else if (read.length < mostRead) read.push([reader.tag, readTo]);
    }
    this.#byTag.delete(reader.tag);
    const mine = this.#byWorker.get(instance);
    mine?.delete(reader.tag);
    if (mine?.size === 0) this.#byWorker.delete(instance);
  }

  /** (tag, index) of what was read to its end since the last call, by worker. */
  takeRead(): ReadonlyMap<InstanceId, readonly (readonly [number, number])[]> {
    const read = this.#read;
    this.#read = new Map();
    return read;
  }

  /** Readers by worker; closing some while reading is allowed. */
  byWorker(): [InstanceId, Reader[]][] {
    return [...this.#byWorker].map(([worker, readers]) => [worker, [...readers.values()]]);
  }

  /** Readers at a worker. */
  countAt(worker: InstanceId): number {
    return this.#byWorker.get(worker)?.size ?? 0;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #frame(payload: Uint8Array): void {
    const frame = decodeStepFrame(payload);
    if (!frame.ok) {
      this.#metrics.badFrames.add();
      this.#log.warn("an inbox message is no step frame", { reason: frame.error.message });
      return;
    }
    const nowMs = this.#clock.nowMs();
    this.#workers.heard(frame.value.worker);
    for (const entry of frame.value.entries) {
      const reader = this.#byTag.get(entry.tag);
      if (reader?.worker.instance === frame.value.worker) this.#give(reader, entry, nowMs);
      else this.#metrics.unknownTags.add();
    }
  }

  #give(reader: Reader, entry: StepEntry, nowMs: number): void {
    try {
      reader.take(entry, nowMs);
    } catch (error) {
      reader.broken(error);
    }
  }
}
