import { SharedMemory, systemClock } from "@pixii/runtime";
import type { Log } from "@pixii/runtime";
import { BlockPool } from "../core/block_pool.ts";
import { committedSlots } from "../core/committed_slots.ts";
import { DiskTier } from "../disk/disk_tier.ts";
import type { BlockToWrite } from "../disk/disk_tier.ts";
import { FetchDesk } from "../fetch_desk.ts";
import { pageBytes } from "../pool_file.ts";
import { writeBlock } from "./scripted_source.ts";

/** Bytes of one batch and batches side by side: as the write-behind makes them. */
const batchBytes = 8 * 1024 * 1024;
const lanes = 2;
const segmentBytes = 64 * 1024 * 1024;

/** What a trial is made of. */
export interface DiskTrialOptions {
  /** Where the tier lies; a folder of its own. */
  readonly folder: string;
  /** File of the pool. */
  readonly poolPath: string;
  /** Bytes of a block's slot: whole pages. */
  readonly slotBytes: number;
  readonly blocks: number;
  readonly log: Log;
}

/** The disk tier's own way for blocks, down and up, without anybody who limits it: for benchmarks. */
export class DiskTrial implements AsyncDisposable {
  readonly #pool: BlockPool;
  readonly #memory: SharedMemory;
  readonly #tier: DiskTier;
  readonly #desk: FetchDesk;
  readonly #layout: number;
  readonly #client: number;
  readonly #stack: AsyncDisposableStack;
  readonly #waiting = { left: 0, lost: 0, done: () => {} };
  readonly #options: DiskTrialOptions;
  #lease = 0;

  private constructor(
    parts: { pool: BlockPool; memory: SharedMemory; tier: DiskTier; stack: AsyncDisposableStack },
    options: DiskTrialOptions,
  ) {
    const { pool, memory, tier, stack } = parts;
    this.#options = options;
    this.#pool = pool;
    this.#memory = memory;
    this.#tier = tier;
    this.#stack = stack;
    const slotPages = options.slotBytes / pageBytes;
    this.#layout = pool.layout({ hi: 1, lo: 2, blockSize: 64, slotPages })!;
    this.#client = pool.join(this.#layout);
    this.#desk = new FetchDesk({
      ...{ pool, clock: systemClock(), onChange: () => {} },
      view: (offset, length) => memory.view(offset, length),
      tell: (_, op, words) => this.#told(op, words),
    });
    this.#desk.add(tier);
  }

  /** Opens the tier and fills the pool with blocks. */
  static async open(options: DiskTrialOptions): Promise<DiskTrial> {
    const { folder, poolPath, slotBytes, blocks, log } = options;
    await using stack = new AsyncDisposableStack();
    const perSegment = Math.floor(segmentBytes / slotBytes);
    const segments = Math.ceil(blocks / perSegment) + 1;
    const bytes = segments * segmentBytes;
    const made = await SharedMemory.create(poolPath, { bytes, unitBytes: segmentBytes });
    if (!made.ok) throw new Error(made.error.message);
    const memory = stack.use(made.value);
    stack.defer(() => void memory.unlink());
    const pool = new BlockPool({ segments, segmentPages: segmentBytes / pageBytes });
    const clock = systemClock();
    const opened = await DiskTier.open({ bytes, folder }, { clock, log, onChange: () => {} });
    if (!opened.ok) throw new Error(opened.error.message);
    const tier = stack.use(opened.value);
    const trial = new DiskTrial({ pool, memory, tier, stack: stack.move() }, options);
    trial.#fill();
    return trial;
  }

  /** Bytes that one round moves. */
  get bytes(): number {
    return this.#options.blocks * this.#options.slotBytes;
  }

  /** True where the tier goes past the page cache. */
  get isDirect(): boolean {
    return this.#tier.store.files.isDirect;
  }

  /** Writes all blocks of the pool to disk, as if none were there: places, records of the index, data. */
  async write(): Promise<void> {
    await this.#tier.drop();
    const { table, layouts } = this.#pool;
    const kind = layouts[this.#layout];
    const most = Math.max(1, Math.floor(batchBytes / this.#options.slotBytes));
    const slots = committedSlots(this.#pool);
    const lane = async () => {
      for (let batch = slots.splice(0, most); batch.length > 0; batch = slots.splice(0, most)) {
        const { stored, left } = await this.#tier.write(
          kind,
          batch.map((slot): BlockToWrite => ({
            block: {
              ...{ hi: table.hi[slot], lo: table.lo[slot], index: 0, parentHi: 0, parentLo: 0 },
            },
            view: this.#memory.view(table.page[slot] * pageBytes, this.#options.slotBytes),
            isStill: () => true,
          })),
        );
        if (stored + left.length < batch.length) {
          throw new Error(`${stored} of ${batch.length} written`);
        }
        slots.unshift(...batch.slice(batch.length - left.length));
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  /** Brings all blocks from disk into the pool, which holds none: slots, data, header and checksums, leases. */
  async read(): Promise<void> {
    const { blocks } = this.#options;
    this.#pool.drop(committedSlots(this.#pool));
    const routes = Uint32Array.from({ length: 2 * blocks }, (_, i) => i % 2 === 0 ? i / 2 : 7);
    const lease = ++this.#lease;
    const found = this.#pool.find(this.#client, lease, routes);
    const landed = new Promise<void>((resolve) => this.#waiting.done = resolve);
    this.#waiting.left = blocks;
    this.#desk.want({
      ...{ client: this.#client, lease, layout: this.#layout, routes, found, awaits: false },
    });
    await landed;
    if (this.#waiting.lost > 0) throw new Error(`${this.#waiting.lost} blocks were lost`);
    this.#desk.release(this.#client, [lease]);
    this.#pool.release(this.#client, [lease]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#desk[Symbol.dispose]();
    await this.#stack.disposeAsync();
  }

  #fill(): void {
    const { blocks, slotBytes } = this.#options;
    for (let lo = 0; lo < blocks; lo++) {
      const [slot, page] = this.#pool.reserve(this.#client, 1);
      const view = this.#memory.view(page * pageBytes, slotBytes);
      const layout = { hi: 1, lo: 2 };
      writeBlock(view, { hi: 7, lo, layout, payloadBytes: slotBytes - 384, fill: lo });
      this.#pool.commit(this.#client, Uint32Array.of(slot, lo, 7, 0, 0, 0));
    }
  }

  #told(op: "landed" | "lost", words: Uint32Array): void {
    const rows = words.length / (op === "landed" ? 4 : 2);
    if (op === "lost") this.#waiting.lost += rows;
    this.#waiting.left -= rows;
    if (this.#waiting.left === 0) this.#waiting.done();
  }
}
