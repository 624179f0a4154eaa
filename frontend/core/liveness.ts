import { limits, takesAnswers } from "@pixii/wire";
import type { InstanceId, LoadReport } from "@pixii/wire";

/** `live` takes new work, `suspect` does not, `dead` loses its streams. */
export type WorkerState = "live" | "suspect" | "dead";

/** Bounds of a liveness table. */
export interface LivenessLimits {
  /** Silent for this long: suspect. */
  readonly suspectMs: number;
  /** Silent for this long: dead. */
  readonly deadMs: number;
  /** An engine step older than this: dead, however lively the reports. */
  readonly hungStepMs: number;
}

/**
 * The protocol's bounds. A step over 30 s is hung: a slow CPU may take seconds over one prefill chunk, and the worker
 * itself gives up at 60 s.
 */
export const livenessLimits: LivenessLimits = {
  suspectMs: limits.suspectMs,
  deadMs: limits.deadMs,
  hungStepMs: 30_000,
};

const unreported = { running: 0, waiting: 0, draining: false };

interface WorkerEntry {
  heardMs: number;
  report: LoadReport | undefined;
  /** Streams started here since the last report: what the report cannot know yet. */
  startedSince: number;
  isGone: boolean;
  /** Nobody answered; holds until something is heard. */
  isUnreachable: boolean;
}

/** Which workers live, from what was heard of each and when. Pure: time is an argument. */
export class Liveness {
  readonly #limits: LivenessLimits;
  readonly #workers = new Map<InstanceId, WorkerEntry>();

  constructor(bounds: LivenessLimits = livenessLimits) {
    this.#limits = bounds;
  }

  /** Workers known. */
  get size(): number {
    return this.#workers.size;
  }

  /** A worker's card is in the registry; a worker never heard of counts as heard now. */
  present(worker: InstanceId, nowMs: number): void {
    this.#entry(worker, nowMs).isGone = false;
  }

  /** A worker's card left the registry: it is dead as soon as it is silent, too. */
  gone(worker: InstanceId): void {
    const entry = this.#workers.get(worker);
    if (entry !== undefined) entry.isGone = true;
  }

  /** Anything came from the worker. */
  heard(worker: InstanceId, nowMs: number): void {
    const entry = this.#entry(worker, nowMs);
    entry.heardMs = nowMs;
    entry.isUnreachable = false;
  }

  /** A load report came: latest wins. */
  reported(report: LoadReport, nowMs: number): void {
    this.heard(report.instance, nowMs);
    const entry = this.#entry(report.instance, nowMs);
    entry.report = report;
    entry.startedSince = 0;
  }

  /** A stream was sent to the worker. */
  started(worker: InstanceId, nowMs: number): void {
    this.#entry(worker, nowMs).startedSince += 1;
  }

  /** Nobody serves the worker's subjects: dead until something is heard of it. */
  unreachable(worker: InstanceId, nowMs: number): void {
    this.#entry(worker, nowMs).isUnreachable = true;
  }

  /** Silence of `ms` was our own: it is not counted against anybody. */
  forgive(ms: number): void {
    for (const entry of this.#workers.values()) entry.heardMs += ms;
  }

  /** The state of a worker; one never heard of is `live`. */
  state(worker: InstanceId, nowMs: number): WorkerState {
    const entry = this.#workers.get(worker);
    if (entry === undefined) return "live";
    const silentMs = nowMs - entry.heardMs;
    if (entry.isUnreachable || silentMs >= this.#limits.deadMs) return "dead";
    if ((entry.report?.stepAgeMs ?? 0) >= this.#limits.hungStepMs) return "dead";
    if (silentMs < this.#limits.suspectMs) return "live";
    return entry.isGone ? "dead" : "suspect";
  }

  /** Requests at the worker as far as known: reported, and started here since. */
  load(worker: InstanceId): { readonly requests: number; readonly draining: boolean } {
    const entry = this.#workers.get(worker);
    const { running, waiting, draining } = entry?.report ?? unreported;
    const isLeaving = entry?.report !== undefined && !takesAnswers(entry.report);
    const requests = running + waiting + (entry?.startedSince ?? 0);
    return { requests, draining: draining || isLeaving };
  }

  /** True where anything was heard less than `ms` ago. */
  heardWithin(worker: InstanceId, ms: number, nowMs: number): boolean {
    const entry = this.#workers.get(worker);
    return entry !== undefined && nowMs - entry.heardMs < ms;
  }

  /** Forgets workers that are dead, have no card and are not `needed`. */
  prune(nowMs: number, needed: (worker: InstanceId) => boolean): void {
    for (const [worker, entry] of this.#workers) {
      const silent = nowMs - entry.heardMs >= this.#limits.deadMs;
      if (entry.isGone && silent && !needed(worker)) this.#workers.delete(worker);
    }
  }

  #entry(worker: InstanceId, nowMs: number): WorkerEntry {
    let entry = this.#workers.get(worker);
    if (entry === undefined) {
      entry = {
        heardMs: nowMs,
        report: undefined,
        startedSince: 0,
        isGone: false,
        isUnreachable: false,
      };
      this.#workers.set(worker, entry);
    }
    return entry;
  }
}
