import { encodeRecord, keys, ok, subjects as subjectsOf } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { hostName, LocalFrameServer, startOfProcess, temporaryFolder } from "@pixii/runtime";
import type { Registration, ServiceContext, SharedMemory } from "@pixii/runtime";
import type { KvbmConfig } from "./config.ts";
import { BlockPool } from "./core/block_pool.ts";
import { DiskSide } from "./disk/disk_side.ts";
import { FetchDesk } from "./fetch_desk.ts";
import { tiersWith } from "./core/tier_room.ts";
import type { TierFlow, TierRoom } from "./core/tier_room.ts";
import { KvStreams } from "./kv_stream.ts";
import { LayoutNotes } from "./layout_notes.ts";
import { PeerSide } from "./peer/peer_side.ts";
import { defaultPoolFolder, openPoolFile, pageBytes, sweepPools } from "./pool_file.ts";
import type { PoolFile } from "./pool_file.ts";
import { SnapshotShelf } from "./snapshot_shelf.ts";
import { StoreServer } from "./store_server.ts";
import { answerControl } from "./tier_control.ts";

/** The host tier while it runs: its memory, its books, its socket, its events. */
export class HostTier implements AsyncDisposable {
  readonly pool: BlockPool;
  readonly path: string;
  readonly bytes: number;
  readonly socket: string;
  readonly desk: FetchDesk;
  /** Where there is a disk tier. */
  readonly disk: DiskSide | undefined;
  readonly peers: PeerSide;
  readonly layouts: LayoutNotes;
  readonly #memory: SharedMemory;
  readonly #streams: KvStreams;
  readonly #stack: AsyncDisposableStack;
  readonly #server: StoreServer;

  private constructor(
    parts: {
      readonly pool: BlockPool;
      readonly file: PoolFile;
      readonly socket: string;
      readonly server: StoreServer;
      readonly desk: FetchDesk;
      readonly disk: DiskSide | undefined;
      readonly peers: PeerSide;
      readonly layouts: LayoutNotes;
      readonly streams: KvStreams;
    },
    stack: AsyncDisposableStack,
  ) {
    this.pool = parts.pool;
    this.path = parts.file.memory.path;
    this.bytes = parts.file.memory.bytes;
    this.socket = parts.socket;
    this.desk = parts.desk;
    this.disk = parts.disk;
    this.peers = parts.peers;
    this.layouts = parts.layouts;
    this.#memory = parts.file.memory;
    this.#streams = parts.streams;
    this.#server = parts.server;
    this.#stack = stack;
  }

  /** Opens all of it, or nothing and says why in one sentence. */
  static async open(
    config: KvbmConfig,
    context: ServiceContext,
    onBatch: () => void,
  ): Promise<Result<HostTier>> {
    const { instance, namespace, clock, bus, registry } = context;
    const log = context.log.child("host");
    await using stack = new AsyncDisposableStack();
    const opened = await openFile(config, { namespace, instance, log });
    if (!opened.ok) return opened;
    const file = stack.use(opened.value);
    const { memory } = file;
    const pool = new BlockPool({ ...file, evict: config["kv.evict"] });
    const view = (offset: number, length: number) => memory.view(offset, length);
    const subjects = subjectsOf(namespace);
    const shelf = new SnapshotShelf(clock);
    const streams: KvStreams = stack.use(
      new KvStreams({
        ...{ owner: instance, tier: "host", pool, bus, clock, subjects, shelf, onBatch },
        onGone: (layout, slots) => server.gone(layout, slots),
      }),
    );
    const disk = await DiskSide.open(config, context, { pool, view, shelf, onBatch });
    if (disk !== undefined) stack.use(disk);
    const onChange = (layout: number) => streams.changed(layout);
    const desk: FetchDesk = stack.use(
      new FetchDesk({
        ...{ pool, clock, view, onChange },
        tell: (client, op, words) =>
          peers.giver.tell(client, op, words) || server.tell(client, op, words),
        onStored: disk && ((layout, entries, rows) => disk.writes.stored(layout, entries, rows)),
      }),
    );
    if (disk !== undefined) desk.add(disk.tier);
    const side = { pool, desk, view, onChange };
    const peers: PeerSide = stack.use(await PeerSide.open(config, context, side));
    desk.add(peers.source);
    const layouts = new LayoutNotes(disk?.tier.store.folder, log);
    const server: StoreServer = stack.use(
      new StoreServer({
        ...{ kvbm: instance, pool, desk, path: memory.path, poolBytes: memory.bytes, clock, log },
        ...{ peers, startOf: startOfProcess, onChange },
        onModel: (hello, layout) => {
          layouts.note(hello);
          streams.open(hello.model, layout);
          disk?.opened(hello.model, layout);
        },
      }),
    );
    const socket = config["kv.socket"] || `${temporaryFolder()}/pixii-kv-${instance}.sock`;
    const serve = server.serve.bind(server);
    const listening = await LocalFrameServer.open({ path: socket, log, serve });
    if (!listening.ok) return listening;
    stack.use(listening.value);
    const control = { host: streams, disk: disk?.streams, desk, shelf, peers };
    stack.use(bus.serve(subjects.control(instance), (payload) => answerControl(payload, control)));
    const place = { host: hostName(), pid: Deno.pid, socket, data: peers.address };
    const card = { instance, ...place, poolBytes: memory.bytes };
    const key = keys(namespace).kvbm(instance);
    const registered = await registry.register(key, encodeRecord("kvbm", card));
    if (!registered.ok) return registered;
    stack.use(registered.value as Registration);
    return ok(
      new HostTier(
        { pool, file, socket, server, desk, disk, peers, layouts, streams },
        stack.move(),
      ),
    );
  }

  /** Bytes of slots in use. */
  get usedBytes(): number {
    return this.pool.slab.usedPages * pageBytes;
  }

  /** The mapped pool's bytes [offset, offset + length). */
  view(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#memory.view(offset, length);
  }

  /** Blocks of this layout may have changed. */
  changed(layout: number): void {
    this.#streams.changed(layout);
  }

  /** How much of each tier is taken. */
  rooms(): readonly TierRoom[] {
    const store = this.disk?.tier.store;
    return tiersWith({
      host: { capacityBytes: this.bytes, usedBytes: this.usedBytes },
      disk: store && { capacityBytes: store.bytes, usedBytes: store.usedBytes },
    });
  }

  /** What moved between the tiers, per tier. */
  flows(): readonly TierFlow[] {
    const { counts } = this.pool;
    const host = { tier: "host", hits: counts.hits, evictions: counts.evictions } as const;
    return this.disk === undefined ? [host] : [host, this.disk.flow()];
  }

  /** Slots by state. */
  blocks(): { readonly pinned: number; readonly unused: number; readonly reserved: number } {
    let reserved = 0;
    for (const client of this.pool.clients.values()) reserved += client.reserved.size;
    const unused = this.pool.order.count;
    return { pinned: this.pool.table.live - reserved - unused, unused, reserved };
  }

  /** Everything for people: `/pool`. */
  facts(): Record<string, unknown> {
    const { pool } = this;
    return {
      path: this.path,
      socket: this.socket,
      bytes: this.bytes,
      usedBytes: this.usedBytes,
      segments: { all: pool.slab.segments, empty: pool.slab.emptySegments },
      blocks: this.blocks(),
      counts: pool.counts,
      layouts: pool.layouts.map(({ blockSize, slotPages, size }) => ({
        ...{ blockSize, slotBytes: slotPages * pageBytes },
        perSegment: pool.slab.sizes[size].perSegment,
      })),
      workers: this.#server.members(),
      peers: this.peers.facts(),
    };
  }

  /** Writes to disk what is not there yet, until done or the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.disk?.writes.drain(signal);
  }

  /** Workers that are known. */
  get workers(): number {
    return this.#server.members().length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** The pool's file, mapped; those of programs that are gone are removed first. */
function openFile(
  config: KvbmConfig,
  { namespace, instance, log }: Pick<ServiceContext, "namespace" | "instance" | "log">,
): Promise<Result<PoolFile>> {
  const folder = config["kv.pool"] || defaultPoolFolder();
  sweepPools(folder, log);
  const sizes = { bytes: config["kv.host"], segmentBytes: config["kv.segment"] };
  return openPoolFile({ folder, namespace, instance, ...sizes });
}
