import type { InstanceId } from "@pixii/wire";
import { SharedMemory, systemChance, systemClock, TcpNetwork } from "@pixii/runtime";
import type { Log } from "@pixii/runtime";
import { BlockPool } from "../core/block_pool.ts";
import { committedSlots } from "../core/committed_slots.ts";
import { FetchDesk } from "../fetch_desk.ts";
import { newPeerCounts } from "../peer/peer_counts.ts";
import { PeerSource } from "../peer/peer_source.ts";
import { PoolGiver } from "../peer/pool_giver.ts";
import { StreamTransport } from "../peer/stream_transport.ts";
import { transferLimits } from "../peer/transfer_limits.ts";
import { pageBytes } from "../pool_file.ts";
import { writeBlock } from "./scripted_source.ts";

const segmentBytes = 32 * 1024 * 1024;
const giverId = "00000000000000a1" as InstanceId;
const askerId = "00000000000000a2" as InstanceId;
const key = { hi: 1, lo: 2 };

/** What both sides of a trial are made of. */
export interface PeerTrialOptions {
  /** File of the side's own pool. */
  readonly poolPath: string;
  /** Bytes of a block's slot: whole pages. */
  readonly slotBytes: number;
  readonly blocks: number;
  readonly log: Log;
}

/** One side: a pool in shared memory with a desk and a transport, as in a kvbm. */
class PeerTrialSide implements AsyncDisposable {
  readonly pool: BlockPool;
  readonly memory: SharedMemory;
  readonly layout: number;
  readonly client: number;
  readonly desk: FetchDesk;
  readonly transport: StreamTransport;
  readonly options: PeerTrialOptions;
  readonly stack = new AsyncDisposableStack();
  tell: (client: number, op: "landed" | "lost", words: Uint32Array) => void = () => {};

  private constructor(memory: SharedMemory, options: PeerTrialOptions, kvbm: InstanceId) {
    this.memory = this.stack.use(memory);
    this.stack.defer(() => void memory.unlink());
    this.options = options;
    const segments = memory.bytes / segmentBytes;
    const pool = new BlockPool({ segments, segmentPages: segmentBytes / pageBytes });
    const slotPages = options.slotBytes / pageBytes;
    this.pool = pool;
    this.layout = pool.layout({ ...key, blockSize: 64, slotPages })!;
    this.client = pool.join(this.layout);
    const clock = systemClock();
    this.desk = this.stack.use(
      new FetchDesk({
        ...{ pool, clock, onChange: () => {} },
        view: (offset, length) => memory.view(offset, length),
        tell: (client, op, words) => this.tell(client, op, words),
      }),
    );
    const { log } = options;
    this.transport = new StreamTransport({
      ...{ network: new TcpNetwork({ clock, log }), kvbm, namespace: "trial", secret: "" },
      ...{ clock, log, chance: systemChance(), limits: transferLimits },
    });
  }

  static async open(options: PeerTrialOptions, kvbm: InstanceId): Promise<PeerTrialSide> {
    const perSegment = Math.floor(segmentBytes / options.slotBytes);
    // Room for the blocks of a round and for those that are reserved ahead.
    const segments = 2 * Math.ceil(options.blocks / perSegment) + 1;
    const bytes = segments * segmentBytes;
    const made = await SharedMemory.create(options.poolPath, { bytes, unitBytes: segmentBytes });
    if (!made.ok) throw new Error(made.error.message);
    return new PeerTrialSide(made.value, options, kvbm);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}

/** The giving side of a trial; it runs in a process of its own. */
export class PeerTrialGiver implements AsyncDisposable {
  /** `HOST:PORT` of its door. */
  readonly address: string;
  readonly #side: PeerTrialSide;

  private constructor(side: PeerTrialSide, address: string) {
    this.#side = side;
    this.address = address;
  }

  /** Fills its pool with blocks 1, 2, ... and gives them. */
  static async open(options: PeerTrialOptions): Promise<PeerTrialGiver> {
    const side = await PeerTrialSide.open(options, giverId);
    const { pool, memory, client, layout, desk } = side;
    const { slotBytes, blocks } = options;
    for (let lo = 1; lo <= blocks; lo++) {
      const [slot, page] = pool.reserve(client, 1);
      const view = memory.view(page * pageBytes, slotBytes);
      writeBlock(view, { hi: 0, lo, layout: key, fill: lo % 256, payloadBytes: slotBytes - 384 });
      pool.commit(client, Uint32Array.of(slot, lo, 0, 0, 0, 0));
    }
    pool.takeEvents(layout);
    const giver = new PoolGiver({
      ...{ pool, desk, onChange: () => pool.takeEvents(layout), counts: newPeerCounts() },
      view: (offset, length) => memory.view(offset, length),
    });
    side.tell = (client, op, words) => giver.tell(client, op, words);
    const opened = await side.transport.listen("127.0.0.1:0", giver);
    if (!opened.ok) throw new Error(opened.error.message);
    side.stack.use(opened.value);
    return new PeerTrialGiver(side, opened.value.address);
  }

  /** Its pool's bytes, for a bare copy beside. */
  view(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#side.memory.view(offset, length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#side[Symbol.asyncDispose]();
  }
}

/** The asking side of a trial: blocks go a kvbm's own way, from the question of a worker to `landed`. */
export class PeerTrial implements AsyncDisposable {
  readonly #side: PeerTrialSide;
  readonly #waiting = { left: 0, lost: 0, done: () => {} };
  #lease = 0;

  private constructor(side: PeerTrialSide, source: PeerSource) {
    this.#side = side;
    side.desk.add(source);
    side.tell = (_, op, words) => this.#told(op, words);
  }

  static async open(options: PeerTrialOptions, address: string): Promise<PeerTrial> {
    const side = await PeerTrialSide.open(options, askerId);
    const source = side.stack.use(
      new PeerSource({
        ...{ transport: side.transport, addressOf: () => address, counts: newPeerCounts() },
        ...{ limits: transferLimits, clock: systemClock(), log: options.log },
      }),
    );
    return new PeerTrial(side, source);
  }

  /** Bytes that one round moves. */
  get bytes(): number {
    return this.#side.options.blocks * this.#side.options.slotBytes;
  }

  /** Its pool's bytes, for a bare copy beside. */
  view(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#side.memory.view(offset, length);
  }

  /** Pulls all blocks, checked and registered; then forgets them. Throws where one does not come. */
  async pull(): Promise<void> {
    const { pool, client, layout, desk, options: { blocks } } = this.#side;
    const lease = ++this.#lease;
    const routes = Uint32Array.from({ length: 2 * blocks }, (_, i) => i % 2 === 0 ? i / 2 + 1 : 0);
    const found = pool.find(client, lease, routes);
    const landed = new Promise<void>((resolve) => this.#waiting.done = resolve);
    Object.assign(this.#waiting, { left: blocks, lost: 0 });
    desk.want({ client, lease, layout, routes, found, awaits: false, from: giverId });
    await landed;
    if (this.#waiting.lost > 0) throw new Error(`${this.#waiting.lost} blocks were lost`);
    desk.release(client, [lease]);
    pool.release(client, [lease]);
    pool.drop(committedSlots(pool));
    pool.takeEvents(layout);
    pool.checkIntegrity();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#side[Symbol.asyncDispose]();
  }

  #told(op: "landed" | "lost", words: Uint32Array): void {
    const count = words.length / (op === "landed" ? 4 : 2);
    this.#waiting.left -= count;
    if (op === "lost") this.#waiting.lost += count;
    if (this.#waiting.left === 0) this.#waiting.done();
  }
}
