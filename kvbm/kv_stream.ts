import {
  encode,
  encodeKvEvents,
  fail,
  kvEventBatches,
  limits,
  mostStreamsPerHeartbeat,
  ok,
  u32sOf,
} from "@pixii/wire";
import type { Control, InstanceId, KvEvent, ModelHash, Result, Subjects } from "@pixii/wire";
import type { Bus, Clock } from "@pixii/runtime";
import type { BlockPool } from "./core/block_pool.ts";
import type { OwnedTier } from "./core/tier_room.ts";
import type { SnapshotShelf } from "./snapshot_shelf.ts";

/** What the streams are made of. */
export interface KvStreamParts {
  readonly owner: InstanceId;
  readonly tier: OwnedTier;
  /** The books of that tier. */
  readonly pool: BlockPool;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly subjects: Subjects;
  /** Where snapshots are kept for their readers. */
  readonly shelf: SnapshotShelf;
  /** These blocks of a layout have left. */
  readonly onGone: (layout: number, slots: Uint32Array) => void;
  readonly onBatch: () => void;
}

/** The events of one model: numbers count within it. */
interface Stream {
  readonly layouts: Set<number>;
  readonly blockSize: number;
  number: number;
}

/**
 * Tells routers what a tier holds: one numbered stream per model, since that is what routers follow. Models that
 * share a layout (one file under two names) are told the same. Heartbeats tell the streams' numbers, so that a router
 * sees that it missed the last batch, however long ago that was.
 */
export class KvStreams implements Disposable {
  readonly #parts: KvStreamParts;
  readonly #streams = new Map<ModelHash, Stream>();
  readonly #changed = new Set<number>();
  readonly #heartbeat: Disposable;
  #turn: Disposable | undefined;
  #isOver = false;

  constructor(parts: KvStreamParts) {
    this.#parts = parts;
    this.#heartbeat = parts.clock.every(limits.kvBeatEveryMs, () => this.#beat());
  }

  /** Layouts of a model's blocks; none where no worker of it came yet. */
  layoutsOf(model: ModelHash): readonly number[] {
    return [...this.#streams.get(model)?.layouts ?? []];
  }

  /** Number of the last batch of a model's stream; nothing while changes wait to be told, or where there is no stream. */
  numberOf(model: ModelHash): number | undefined {
    return this.#changed.size > 0 ? undefined : this.#streams.get(model)?.number;
  }

  /** Blocks of this layout are a model's, from now on. */
  open(model: ModelHash, layout: number): void {
    const { pool } = this.#parts;
    const { blockSize } = pool.layouts[layout];
    let stream = this.#streams.get(model);
    if (stream === undefined) {
      stream = { layouts: new Set(), blockSize, number: 0 };
      this.#streams.set(model, stream);
    }
    // One stream tells of blocks of one size; a model whose workers differ in it is told by the first.
    if (stream.layouts.has(layout) || stream.blockSize !== blockSize) return;
    this.publish();
    stream.layouts.add(layout);
    this.#send(model, stream, pool.snapshot(layout));
  }

  /** Blocks of a layout may have changed: told in this turn of the event loop. */
  changed(layout: number): void {
    if (this.#isOver) return;
    this.#changed.add(layout);
    this.#turn ??= this.#parts.clock.turn(() => this.publish());
  }

  /** Tells what changed. */
  publish(): void {
    this.#turn?.[Symbol.dispose]();
    this.#turn = undefined;
    for (const layout of this.#changed) {
      const events = this.#parts.pool.takeEvents(layout);
      if (events.length === 0) continue;
      for (const [model, stream] of this.#streams) {
        if (stream.layouts.has(layout)) this.#send(model, stream, events);
      }
      for (const event of events) {
        if (event.op === "removed") this.#parts.onGone(layout, event.numbers);
      }
    }
    this.#changed.clear();
  }

  /** Freezes what a model's stream has told so far; the reply to `snapshot`. */
  freeze(ask: Extract<Control, { op: "snapshot" }>): Result<Uint8Array> {
    const models = [...this.#streams.keys()];
    const model = ask.model ?? (models.length === 1 ? models[0] : undefined);
    const stream = model === undefined ? undefined : this.#streams.get(model);
    const isThis = (ask.tier ?? "host") === this.#parts.tier && (ask.dpRank ?? 0) === 0;
    if (model === undefined || stream === undefined || !isThis) {
      return fail("not_found", "Cannot take a snapshot: this program has no such tier or model");
    }
    this.publish();
    const events = [...stream.layouts].flatMap((layout) => this.#parts.pool.snapshot(layout));
    const bytes = this.#encode(model, stream, { events, maxBytes: limits.assembledBytes });
    return ok(this.#parts.shelf.put(bytes, { epoch: this.#parts.owner, number: stream.number }));
  }

  /** Which of these blocks a model's stream tells of; the reply to `audit`. O(slots). */
  audit({ model, dpRank, tier, hi, lo }: Extract<Control, { op: "audit" }>): Result<Uint8Array> {
    const stream = this.#streams.get(model);
    if (stream === undefined || tier !== this.#parts.tier || dpRank !== 0) {
      return fail("not_found", "Cannot answer the audit: this program has no such tier or model");
    }
    if (hi.byteLength !== lo.byteLength) {
      return fail("invalid_request", "Cannot answer the audit: hi and lo must have equal lengths");
    }
    this.publish();
    const { owner: epoch, pool } = this.#parts;
    const asked = { hi: u32sOf(hi), lo: u32sOf(lo) };
    const held = Uint8Array.from(asked.hi, () => 0);
    for (const layout of stream.layouts) {
      held.forEach((_, i) => {
        if (pool.keys.find(layout, asked.hi[i], asked.lo[i]) !== 0) held[i] = 1;
      });
    }
    return ok(encode("auditAnswer", { epoch, number: stream.number, held }));
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#turn?.[Symbol.dispose]();
    this.#heartbeat[Symbol.dispose]();
  }

  /** Tells how far all streams have come; nothing where there is none. */
  #beat(): void {
    const { bus, subjects, owner, tier } = this.#parts;
    const streams = Array.from(
      this.#streams,
      ([model, { blockSize, number }]) => ({ model, dpRank: 0, blockSize, number }),
    );
    for (let at = 0; at < streams.length; at += mostStreamsPerHeartbeat) {
      const told = streams.slice(at, at + mostStreamsPerHeartbeat);
      const bytes = encode("kvHeartbeat", { owner, epoch: owner, tier, streams: told });
      // One that the bus refuses is made good by the next.
      bus.publish(subjects.kvBeat(owner), bytes, { isPatient: true });
    }
  }

  #send(model: ModelHash, stream: Stream, events: readonly KvEvent[]): void {
    for (const batch of kvEventBatches(events)) this.#publish(model, stream, batch);
  }

  #publish(model: ModelHash, stream: Stream, events: readonly KvEvent[]): void {
    const { bus, subjects, owner, onBatch } = this.#parts;
    stream.number += 1;
    // A batch the bus refuses shows in the numbers of later ones and of heartbeats: routers then ask for a snapshot.
    bus.publish(subjects.kvEvents(owner), this.#encode(model, stream, { events }));
    onBatch();
  }

  #encode(
    model: ModelHash,
    { blockSize, number }: Stream,
    options: { readonly events: readonly KvEvent[]; readonly maxBytes?: number },
  ): Uint8Array {
    const { owner, tier } = this.#parts;
    const place = { dpRank: 0, tier, cacheGroup: 0 } as const;
    const batch = { owner, epoch: owner, model, ...place, blockSize, number };
    return encodeKvEvents({ ...batch, events: options.events }, options.maxBytes);
  }
}
