import { subjects as subjectsOf } from "@pixii/wire";
import type { ModelHash } from "@pixii/wire";
import type { ServiceContext } from "@pixii/runtime";
import type { KvbmConfig } from "../config.ts";
import type { BlockPool } from "../core/block_pool.ts";
import type { TierFlow } from "../core/tier_room.ts";
import { KvStreams } from "../kv_stream.ts";
import type { SnapshotShelf } from "../snapshot_shelf.ts";
import { readDiskPlan } from "./disk_place.ts";
import { DiskTier } from "./disk_tier.ts";
import { WriteBehind } from "./write_behind.ts";

/** What the disk tier is put below. */
export interface DiskSideParts {
  readonly pool: BlockPool;
  readonly view: (offset: number, length: number) => Uint8Array<ArrayBuffer>;
  readonly shelf: SnapshotShelf;
  readonly onBatch: () => void;
}

/** The disk tier with what keeps it filled and tells of it. */
export class DiskSide implements AsyncDisposable {
  readonly tier: DiskTier;
  readonly streams: KvStreams;
  readonly writes: WriteBehind;
  readonly #pool: BlockPool;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: { tier: DiskTier; streams: KvStreams; writes: WriteBehind; pool: BlockPool },
    stack: AsyncDisposableStack,
  ) {
    this.tier = parts.tier;
    this.streams = parts.streams;
    this.writes = parts.writes;
    this.#pool = parts.pool;
    this.#stack = stack;
  }

  /** Opens what `--kv-disk` names; nothing where it is off or cannot be had, which the log says in a sentence. */
  static async open(
    config: KvbmConfig,
    context: ServiceContext,
    parts: DiskSideParts,
  ): Promise<DiskSide | undefined> {
    const plan = readDiskPlan(config["kv.disk"]);
    if (plan === undefined) return undefined;
    const { clock, bus, instance, namespace } = context;
    const { pool, view, shelf, onBatch } = parts;
    const log = context.log.child("disk");
    await using stack = new AsyncDisposableStack();
    const onChange = (layout: number) => streams.changed(layout);
    const opened = await DiskTier.open(plan, { clock, log, onChange });
    if (!opened.ok) {
      log.warn("no disk tier: blocks are kept in memory only", { reason: opened.error.message });
      return undefined;
    }
    const tier = stack.use(opened.value);
    const streams: KvStreams = stack.use(
      new KvStreams({
        ...{ owner: instance, tier: "disk", pool: tier.books.pool, bus, clock, shelf },
        subjects: subjectsOf(namespace),
        onBatch,
        onGone: () => {},
      }),
    );
    const bytesPerSecond = config["kv.disk-rate"];
    const writes = stack.use(new WriteBehind({ pool, view, tier, clock, bytesPerSecond }));
    return new DiskSide({ tier, streams, writes, pool }, stack.move());
  }

  /** Blocks of this layout of the host pool are a model's: what is on disk of them is told. */
  opened(model: ModelHash, layout: number): void {
    const own = this.tier.layoutOf(this.#pool.layouts[layout]);
    if (own !== undefined && !this.tier.isOff) this.streams.open(model, own);
  }

  /** What the tier has done and does. */
  flow(): TierFlow {
    const { tier, writes: behind } = this;
    const { counts, reads, writes } = tier;
    return {
      ...{ tier: "disk", hits: counts.hits, evictions: tier.books.pool.counts.evictions },
      moves: {
        ...{ readBytes: reads.bytes, writtenBytes: writes.bytes },
        ...{ reads: reads.moving, writes: behind.queued },
        readBytesPerSecond: reads.bytesPerSecond,
        writtenBytesPerSecond: writes.bytesPerSecond,
        damaged: counts.damaged,
        errors: counts.readErrors + counts.writeErrors,
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
