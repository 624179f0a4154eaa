import { encode, encodeKvEvents, fail, kvEventBatches, limits, ok } from "@pixii/wire";
import type {
  Failure,
  HashList,
  InstanceId,
  KvEvent,
  KvEventBatch,
  ModelCard,
  Result,
  Subjects,
} from "@pixii/wire";
import type { Bus, Clock } from "@pixii/runtime";
import { heldOf } from "./core/held_blocks.ts";
import { sha256Hex } from "./digest.ts";
import type { Engine } from "./engine.ts";
import type { WorkerMetrics } from "./metrics.ts";

/** Steps whose event numbers are remembered, to date a snapshot: far more than lie between it and its request. */
const mostDatedSteps = 1_024;
/** How long a snapshot waits for the step that it is dated by. */
const snapshotStepMs = 10_000;
/** Snapshots kept for their readers, and for how long. */
const mostSnapshots = 4;
const keepSnapshotMs = 30_000;
/** Audits that wait at a time; more are refused. */
const mostAudits = 16;
/** When a refused audit may come again. */
const auditRetryMs = 1_000;

interface Frozen {
  readonly bytes: Uint8Array;
  readonly number: number;
  readonly head: Uint8Array;
  readonly untilMs: number;
}

/** Blocks held, as `stored` events, and the number of the batch after which that is so. */
interface Dated {
  readonly number: number;
  readonly kvEvents: readonly KvEvent[];
}

/**
 * Numbers and publishes a rank's KV events, and serves snapshots that say which number they include. A snapshot's id
 * leaves the rank as its remainder by `dpSize`.
 */
export class KvPublisher {
  readonly #options: {
    readonly bus: Bus;
    readonly clock: Clock;
    readonly subjects: Subjects;
    readonly card: ModelCard;
    readonly dpRank: number;
    readonly metrics: WorkerMetrics;
  };
  readonly #snapshots = new Map<number, Frozen>();
  /** (step, number after it) of the last batches, to date a snapshot. */
  readonly #numbers: { step: number; number: number }[] = [{ step: 0, number: 0 }];
  #number = 0;
  #step = 0;
  #nextId: number;
  #waiting: { step: number; resolve: (came: Result<void>) => void }[] = [];
  /** Why no step comes any more, where that is so. */
  #ended: Failure | undefined;
  /** One at a time, however many ask: all who wait get the same. */
  #dating: Promise<Result<Dated>> | undefined;
  #freezing: Promise<Uint8Array | Failure> | undefined;
  #audits = 0;

  constructor(
    options: {
      bus: Bus;
      clock: Clock;
      subjects: Subjects;
      card: ModelCard;
      dpRank: number;
      metrics: WorkerMetrics;
    },
  ) {
    this.#options = options;
    this.#nextId = options.card.dpSize + options.dpRank;
  }

  /** Number of the last batch. */
  get number(): number {
    return this.#number;
  }

  /** Publishes one step's events; every step is told, with or without events. */
  publish(step: number, events: readonly KvEvent[]): void {
    if (events.length > 0) this.#send(step, events);
    this.#step = step;
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter((one) => one.step <= step);
    this.#waiting = this.#waiting.filter((one) => one.step > step);
    for (const one of due) one.resolve(ok(undefined));
  }

  /** No step comes any more: whoever waits for one is told why. */
  end(failure: Failure): void {
    this.#ended = failure;
    for (const { resolve } of this.#waiting.splice(0)) resolve({ ok: false, error: failure });
  }

  /** Freezes the engine's blocks; the reply to `snapshot`. Who asks meanwhile, or before anything changed, gets the same. */
  freeze(engine: Engine): Promise<Uint8Array | Failure> {
    return this.#freezing ??= this.#freeze(engine).finally(() => this.#freezing = undefined);
  }

  /** Which of these blocks the engine holds; the reply to `audit`. O(blocks held). */
  async audit(engine: Engine, list: HashList): Promise<Uint8Array | Failure> {
    if (this.#audits >= mostAudits) {
      const text = `Cannot answer the audit: ${mostAudits} wait already; ask later`;
      return fail("rate_limited", text, { retryAfterMs: auditRetryMs }).error;
    }
    this.#audits += 1;
    try {
      const dated = await this.#dated(engine);
      if (!dated.ok) return dated.error;
      const { number, kvEvents } = dated.value;
      const epoch = this.#options.card.instance;
      return encode("auditAnswer", { epoch, number, held: heldOf(kvEvents, list) });
    } finally {
      this.#audits -= 1;
    }
  }

  /** Part of a frozen snapshot. */
  part(id: number, offset: number): Result<Uint8Array> {
    const frozen = this.#snapshots.get(id);
    if (frozen === undefined) {
      return fail("not_found", `Cannot read snapshot ${id}: it is gone; ask for a new one`);
    }
    return partOf(frozen.bytes, offset);
  }

  async #freeze(engine: Engine): Promise<Uint8Array | Failure> {
    const dated = await this.#dated(engine);
    if (!dated.ok) return dated.error;
    const { number, kvEvents } = dated.value;
    const nowMs = this.#options.clock.nowMs();
    for (const [id, frozen] of this.#snapshots) {
      if (frozen.untilMs < nowMs) this.#snapshots.delete(id);
      // Its reader has the whole time that a new one would give.
      else if (frozen.number === number && frozen.untilMs - nowMs > keepSnapshotMs / 2) {
        return frozen.head;
      }
    }
    for (const id of this.#snapshots.keys()) {
      if (this.#snapshots.size >= mostSnapshots) this.#snapshots.delete(id);
    }
    const bytes = encodeKvEvents(this.#batch(number, kvEvents), limits.assembledBytes);
    const id = this.#nextId;
    // The number alone says whose snapshot it is.
    this.#nextId += this.#options.card.dpSize;
    const head = encode("snapshotHead", {
      id,
      epoch: this.#options.card.instance,
      number,
      totalBytes: bytes.byteLength,
      digest: await sha256Hex(bytes),
    });
    this.#snapshots.set(id, { bytes, number, head, untilMs: nowMs + keepSnapshotMs });
    return head;
  }

  #dated(engine: Engine): Promise<Result<Dated>> {
    return this.#dating ??= this.#date(engine).finally(() => this.#dating = undefined);
  }

  async #date(engine: Engine): Promise<Result<Dated>> {
    const snapshot = await engine.snapshot();
    if (!snapshot.ok) return snapshot;
    const { step, kvEvents } = snapshot.value;
    const came = await this.#published(step);
    return came.ok ? ok({ number: this.#numberAfter(step), kvEvents }) : came;
  }

  #send(step: number, events: readonly KvEvent[]): void {
    for (const batch of kvEventBatches(events)) {
      this.#number += 1;
      const bytes = encodeKvEvents(this.#batch(this.#number, batch));
      // A batch the bus refuses shows as a gap in the numbers: routers then ask for a snapshot.
      this.#options.bus.publish(
        this.#options.subjects.kvEvents(this.#options.card.instance),
        bytes,
      );
      this.#options.metrics.kvBatches.add();
    }
    this.#numbers.push({ step, number: this.#number });
    if (this.#numbers.length > mostDatedSteps) this.#numbers.splice(0, mostDatedSteps / 2);
  }

  /** Waits until this step's events are published; fails where that does not happen, as when the engine ends. */
  async #published(step: number): Promise<Result<void>> {
    if (step <= this.#step) return ok(undefined);
    if (this.#ended !== undefined) return { ok: false, error: this.#ended };
    const { promise, resolve } = Promise.withResolvers<Result<void>>();
    const waiting = { step, resolve };
    this.#waiting.push(waiting);
    const late = fail("timeout", `Cannot date a snapshot: step ${step} does not come; ask again`);
    using _late = this.#options.clock.timer(snapshotStepMs, () => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      resolve(late);
    });
    return await promise;
  }

  #numberAfter(step: number): number {
    const dated = this.#numbers.findLast((one) => one.step <= step) ?? this.#numbers[0];
    return dated.number;
  }

  #batch(number: number, events: readonly KvEvent[]): KvEventBatch {
    const { card } = this.#options;
    return {
      owner: card.instance,
      epoch: card.instance as InstanceId,
      model: card.hash,
      dpRank: this.#options.dpRank,
      tier: "device",
      cacheGroup: 0,
      blockSize: card.blockSize,
      number,
      events,
    };
  }
}

/** The reply to a request for bytes of `whole` from `offset`. */
export function partOf(whole: Uint8Array, offset: number): Result<Uint8Array> {
  if (offset > whole.byteLength) {
    return fail(
      "invalid_request",
      `Cannot read part: offset ${offset} is over ${whole.byteLength}`,
    );
  }
  const data = whole.subarray(offset, offset + limits.partBytes);
  return ok(encode("part", { offset, totalBytes: whole.byteLength, data }));
}
