import { decode, encode, encodeRecord, fail, keys, ok, subjects as subjectsOf } from "@pixii/wire";
import type { Failure, Result } from "@pixii/wire";
import { hostName, LocalFrameServer, startOfProcess, temporaryFolder } from "@pixii/runtime";
import type { Registration, ServiceContext } from "@pixii/runtime";
import type { KvbmConfig } from "./config.ts";
import { BlockPool } from "./core/block_pool.ts";
import { FetchDesk } from "./fetch_desk.ts";
import { KvStreams } from "./kv_stream.ts";
import { defaultPoolFolder, openPoolFile, pageBytes, sweepPools } from "./pool_file.ts";
import type { PoolFile } from "./pool_file.ts";
import { StoreServer } from "./store_server.ts";

/** The host tier while it runs: its memory, its books, its socket, its events. */
export class HostTier implements AsyncDisposable {
  readonly pool: BlockPool;
  readonly path: string;
  readonly bytes: number;
  readonly socket: string;
  readonly #stack: AsyncDisposableStack;
  readonly #server: StoreServer;

  private constructor(
    parts: { pool: BlockPool; file: PoolFile; socket: string; server: StoreServer },
    stack: AsyncDisposableStack,
  ) {
    this.pool = parts.pool;
    this.path = parts.file.memory.path;
    this.bytes = parts.file.memory.bytes;
    this.socket = parts.socket;
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
    const folder = config["kv.pool"] || defaultPoolFolder();
    sweepPools(folder, log);
    await using stack = new AsyncDisposableStack();
    const bytes = config["kv.host"];
    const opened = await openPoolFile({
      ...{ folder, namespace, instance, bytes, segmentBytes: config["kv.segment"] },
    });
    if (!opened.ok) return opened;
    const file = stack.use(opened.value);
    const { memory } = file;
    const pool = new BlockPool(file);
    const subjects = subjectsOf(namespace);
    const streams: KvStreams = stack.use(
      new KvStreams({
        ...{ owner: instance, pool, bus, clock, subjects, onBatch },
        onGone: (layout, slots) => server.gone(layout, slots),
      }),
    );
    const desk = stack.use(
      new FetchDesk({
        ...{ pool, clock, view: (offset, length) => memory.view(offset, length) },
        tell: (client, op, words) => server.tell(client, op, words),
        onChange: (layout) => streams.changed(layout),
      }),
    );
    const server: StoreServer = stack.use(
      new StoreServer({
        ...{ kvbm: instance, pool, desk, path: memory.path, poolBytes: memory.bytes, clock, log },
        startOf: startOfProcess,
        onModel: (model, layout) => streams.open(model, layout),
        onChange: (layout) => streams.changed(layout),
      }),
    );
    const socket = config["kv.socket"] || `${temporaryFolder()}/pixii-kv-${instance}.sock`;
    const serve = server.serve.bind(server);
    const listening = await LocalFrameServer.open({ path: socket, log, serve });
    if (!listening.ok) return listening;
    stack.use(listening.value);
    stack.use(bus.serve(subjects.control(instance), (payload) => control(payload, streams)));
    const card = { instance, host: hostName(), pid: Deno.pid, socket, poolBytes: memory.bytes };
    const registered = await registry.register(
      keys(namespace).kvbm(instance),
      encodeRecord("kvbm", card),
    );
    if (!registered.ok) return registered;
    stack.use(registered.value as Registration);
    return ok(new HostTier({ pool, file, socket, server }, stack.move()));
  }

  /** Bytes of slots in use. */
  get usedBytes(): number {
    return this.pool.slab.usedPages * pageBytes;
  }

  /** Slots by state. */
  blocks(): { readonly pinned: number; readonly unused: number; readonly reserved: number } {
    let reserved = 0;
    for (const client of this.pool.clients.values()) reserved += client.reserved.size;
    const unused = this.pool.recency.count;
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
    };
  }

  /** Workers that are known. */
  get workers(): number {
    return this.#server.members().length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function control(payload: Uint8Array, streams: KvStreams): Uint8Array {
  const decoded = decode("control", payload);
  const answered = decoded.ok ? answerTo(decoded.value, streams) : decoded;
  return answered.ok ? answered.value : encode("refusal", { error: answered.error as Failure });
}

function answerTo(
  message: Extract<ReturnType<typeof decode<"control">>, { ok: true }>["value"],
  streams: KvStreams,
): Result<Uint8Array> {
  if (message.op === "snapshot") return streams.freeze(message);
  if (message.op === "audit") return streams.audit(message);
  if (message.op === "snapshot-part") return streams.part(message.id, message.offset);
  return fail(
    "not_found",
    `Cannot do ${message.op}: this program gives snapshots and answers audits`,
  );
}
