import type { InstanceId, Result } from "@pixii/wire";
import { hostName, splitAddress, TcpNetwork } from "@pixii/runtime";
import type { ServiceContext } from "@pixii/runtime";
import type { KvbmConfig } from "../config.ts";
import type { BlockPool } from "../core/block_pool.ts";
import type { FetchDesk } from "../fetch_desk.ts";
import type { BlockDoor } from "./block_transport.ts";
import { PeerBook } from "./peer_book.ts";
import { newPeerCounts } from "./peer_counts.ts";
import type { PeerCounts } from "./peer_counts.ts";
import { PeerSource } from "./peer_source.ts";
import type { PeerFacts } from "./peer_source.ts";
import { PoolGiver } from "./pool_giver.ts";
import { StreamTransport } from "./stream_transport.ts";
import { transferLimits } from "./transfer_limits.ts";

/** What the side works on. */
export interface PeerSideParts {
  readonly pool: BlockPool;
  readonly desk: FetchDesk;
  readonly view: (offset: number, length: number) => Uint8Array<ArrayBuffer>;
  readonly onChange: (layout: number) => void;
}

/** What goes between this block manager and those of other hosts: a door for them, and a source of their blocks. */
export class PeerSide implements AsyncDisposable {
  readonly source: PeerSource;
  readonly giver: PoolGiver;
  readonly counts: PeerCounts;
  /** `HOST:PORT` where others get blocks, for the card; nothing where none are given. */
  readonly address: string | undefined;
  readonly #parts: PeerSideParts;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    own: {
      readonly source: PeerSource;
      readonly giver: PoolGiver;
      readonly counts: PeerCounts;
      readonly address: string | undefined;
    },
    parts: PeerSideParts,
    stack: AsyncDisposableStack,
  ) {
    this.source = own.source;
    this.giver = own.giver;
    this.counts = own.counts;
    this.address = own.address;
    this.#parts = parts;
    this.#stack = stack;
  }

  /** Opens the door that `--kv-peer-listen` names; a door that cannot be had is said in the log: blocks still come in. */
  static async open(
    config: KvbmConfig,
    context: ServiceContext,
    parts: PeerSideParts,
  ): Promise<PeerSide> {
    const { clock, chance, registry, instance, namespace } = context;
    const log = context.log.child("peer");
    await using stack = new AsyncDisposableStack();
    const counts = newPeerCounts();
    const transport = new StreamTransport({
      ...{ network: new TcpNetwork({ clock, log }), kvbm: instance, namespace, clock, chance, log },
      ...{ secret: config["kv.peer-secret"], limits: transferLimits },
    });
    const giver = new PoolGiver({ ...parts, counts });
    const door = await openDoor(config, () => transport.listen(config["kv.peer-listen"], giver));
    if (door !== undefined && !door.ok) {
      log.warn("no door for other hosts: they get no blocks", { reason: door.error.message });
    }
    if (door?.ok === true) stack.use(door.value);
    const address = door?.ok === true ? reachable(door.value.address) : undefined;
    if (address !== undefined) {
      const isOpen = !isLoopback(address) && config["kv.peer-secret"] === "";
      const say = isOpen ? log.warn : log.info;
      say.call(log, "gives blocks to other block managers", {
        address,
        ...isOpen &&
          { fix: "anybody who reaches it may ask: give all of them one --kv-peer-secret" },
      });
    }
    const book: PeerBook = stack.use(
      await PeerBook.open(registry, {
        ...{ namespace, own: instance, log },
        onChange: (kvbm) => source.forget(kvbm),
      }),
    );
    const addressOf = (kvbm: InstanceId) => book.addressOf(kvbm);
    const limits = transferLimits;
    const source: PeerSource = stack.use(
      new PeerSource({ transport, addressOf, counts, limits, clock, log }),
    );
    return new PeerSide({ source, giver, counts, address }, parts, stack.move());
  }

  /**
   * Whether blocks that a router wants here are pulled from where it says, or computed: the name of the peer, or nothing.
   * `computeMs`: what computing those takes that are not here; left out, they are pulled.
   */
  chosen(
    from: InstanceId,
    layout: number,
    { routes, computeMs }: { readonly routes: Uint32Array; readonly computeMs: number | undefined },
  ): InstanceId | undefined {
    const { pool, desk } = this.#parts;
    const blocks = desk.lacking(layout, routes);
    if (blocks === 0 || computeMs === undefined) return from;
    const choice = this.source.choose(from, pool.layouts[layout], { blocks, computeMs });
    return choice.verdict === "pull" ? from : undefined;
  }

  /** For people. */
  facts(): {
    readonly address: string | undefined;
    readonly askers: number;
    readonly counts: PeerCounts;
    readonly peers: readonly PeerFacts[];
  } {
    const { address, giver, counts, source } = this;
    return { address, askers: giver.askers, counts, peers: source.facts() };
  }

  /** Resolves when nothing of it touches the pool any more. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function openDoor(
  config: KvbmConfig,
  listen: () => Promise<Result<BlockDoor>>,
): Promise<Result<BlockDoor> | undefined> {
  return config["kv.peer-listen"] === "off" ? undefined : await listen();
}

/** An address that listens everywhere is reached by the machine's name. */
function reachable(address: string): string {
  const { hostname, port } = splitAddress(address)!;
  return hostname === "0.0.0.0" || hostname === "::" ? `${hostName()}:${port}` : address;
}

function isLoopback(address: string): boolean {
  return /^(127\.|\[::1\]|localhost:)/.test(address);
}
