import { hexOfU64 } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import type { Clock, Log } from "@pixii/runtime";
import type { BlockSource, FetchOrder, WatchOrder } from "../core/block_source.ts";
import { PeerSpeed } from "../core/peer/peer_speed.ts";
import { choosePull } from "../core/peer/pull_choice.ts";
import type { PullChoice } from "../core/peer/pull_choice.ts";
import type { PoolLayout } from "../core/pool_client.ts";
import { pageBytes } from "../pool_file.ts";
import type { BlockTransport } from "./block_transport.ts";
import type { PeerCounts } from "./peer_counts.ts";
import { PeerLine } from "./peer_line.ts";
import type { TransferLimits } from "./transfer_limits.ts";

/** What the source is made of. */
export interface PeerSourceParts {
  readonly transport: BlockTransport;
  /** `HOST:PORT` of a block manager's data door, where it has one. */
  readonly addressOf: (kvbm: InstanceId) => string | undefined;
  readonly counts: PeerCounts;
  readonly limits: TransferLimits;
  readonly clock: Clock;
  readonly log: Log;
}

/** A peer, for people. */
export interface PeerFacts {
  readonly kvbm: InstanceId;
  readonly bytesPerSecond: number;
  readonly waitMs: number;
  readonly queuedBytes: number;
  readonly resting: boolean;
}

/**
 * Blocks of other block managers. It keeps no list of what they have: whoever asks says which of them is said to hold the
 * blocks, and one that does not after all costs a round trip and is counted.
 */
export class PeerSource implements BlockSource, AsyncDisposable {
  readonly tier = "remote";
  readonly #parts: PeerSourceParts;
  readonly #lines = new Map<string, { readonly line: PeerLine; readonly kvbm: InstanceId }>();
  readonly #speeds = new Map<InstanceId, PeerSpeed>();
  readonly #ending = new Set<Promise<void>>();
  #isOver = false;

  constructor(parts: PeerSourceParts) {
    this.#parts = parts;
  }

  holds(layout: PoolLayout, routes: Uint32Array, from: InstanceId | undefined): Uint8Array {
    const line = from === undefined ? undefined : this.#line(from, layout);
    const isThere = line !== undefined && !line.isResting;
    return new Uint8Array(routes.length / 2).fill(isThere ? 1 : 0);
  }

  fetch(order: FetchOrder): void {
    const line = order.from === undefined ? undefined : this.#line(order.from, order.layout);
    if (line !== undefined) return line.fetch(order);
    this.#parts.counts.failed.unreachable += order.blocks.length;
    order.blocks.forEach((_, at) => order.done(at, "lost"));
  }

  /** Says when the peer has blocks that it has not yet; `gone` where it cannot be asked. */
  watch(order: WatchOrder): Disposable {
    const line = this.#line(order.from, order.layout);
    if (line !== undefined) return line.watch(order);
    order.gone(Array.from({ length: order.routes.length / 2 }, (_, place) => place));
    return { [Symbol.dispose]: () => {} };
  }

  /** Whether so many blocks are had sooner from a peer than computed, by what was measured of it; counted and logged. */
  choose(
    from: InstanceId,
    layout: PoolLayout,
    { blocks, computeMs }: { readonly blocks: number; readonly computeMs: number },
  ): PullChoice {
    const { clock, counts, log } = this.#parts;
    const nowMs = clock.nowMs();
    const speed = this.#speedOf(from);
    const choice = choosePull({
      bytes: blocks * layout.slotPages * pageBytes,
      queuedBytes: this.#line(from, layout)?.queuedBytes ?? 0,
      bytesPerSecond: speed.bytesPerSecond(nowMs),
      ...{ waitMs: speed.waitMs(nowMs), computeMs },
    });
    counts.chosen[choice.verdict] += 1;
    log.debug(choice.verdict === "pull" ? "blocks are pulled" : "blocks are left to be computed", {
      ...{ peer: from, blocks, ...choice },
    });
    return choice;
  }

  /** All peers that were asked. */
  facts(): PeerFacts[] {
    const nowMs = this.#parts.clock.nowMs();
    return [...this.#speeds].map(([kvbm, speed]) => {
      const own = [...this.#lines.values()].filter((one) => one.kvbm === kvbm);
      return {
        kvbm,
        bytesPerSecond: Math.round(speed.bytesPerSecond(nowMs)),
        waitMs: speed.waitMs(nowMs),
        queuedBytes: own.reduce((sum, { line }) => sum + line.queuedBytes, 0),
        resting: own.some(({ line }) => line.isResting),
      };
    });
  }

  /** A block manager is gone from the registry, or has another address. */
  forget(kvbm: InstanceId): void {
    for (const [key, one] of this.#lines) {
      if (one.kvbm !== kvbm) continue;
      this.#lines.delete(key);
      this.#end(one.line);
    }
    if (this.#parts.addressOf(kvbm) === undefined) this.#speeds.delete(kvbm);
  }

  /** Resolves when no slot is touched any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const { line } of this.#lines.values()) this.#end(line);
    this.#lines.clear();
    await Promise.all(this.#ending);
  }

  #end(line: PeerLine): void {
    const ended: Promise<void> = line[Symbol.asyncDispose]().finally(() =>
      this.#ending.delete(ended)
    );
    this.#ending.add(ended);
  }

  #speedOf(kvbm: InstanceId): PeerSpeed {
    let speed = this.#speeds.get(kvbm);
    if (speed === undefined) {
      speed = new PeerSpeed(this.#parts.clock.nowMs());
      this.#speeds.set(kvbm, speed);
    }
    return speed;
  }

  #line(kvbm: InstanceId, layout: PoolLayout): PeerLine | undefined {
    const { transport, addressOf, counts, limits, clock, log } = this.#parts;
    const address = addressOf(kvbm);
    if (address === undefined || this.#isOver) return undefined;
    const key = `${kvbm}/${hexOfU64(layout.hi, layout.lo)}`;
    const known = this.#lines.get(key)?.line;
    if (known?.address === address) return known;
    if (known !== undefined) this.#end(known);
    const { hi, lo, blockSize, slotPages } = layout;
    const line = new PeerLine({
      ...{ transport, kvbm, address, counts, limits, clock, log, speed: this.#speedOf(kvbm) },
      kind: { hi, lo, blockSize, slotBytes: slotPages * pageBytes },
    });
    this.#lines.set(key, { line, kvbm });
    return line;
  }
}
