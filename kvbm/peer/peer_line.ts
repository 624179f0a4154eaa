import type { InstanceId } from "@pixii/wire";
import type { Clock, Log } from "@pixii/runtime";
import type { FetchOrder } from "../core/block_source.ts";
import type { PeerSpeed } from "../core/peer/peer_speed.ts";
import type { BlockKind, BlockLink, BlockTransport, PullEnd } from "./block_transport.ts";
import type { PeerCounts, PullFailure } from "./peer_counts.ts";
import type { TransferLimits } from "./transfer_limits.ts";

/** A block is asked for again behind a cut, so many times in all. */
const mostTries = 3;
/** A block that nobody was asked for within this is lost: it is computed by then. */
const lateMs = 5_000;
/** Blocks that wait for their turn. */
const mostQueued = 1_024;
/** Blocks of one question. */
const mostOfPull = 16;
/** A peer that cannot be reached is left alone for this long, doubled with every failure; one that refuses for longer. */
const restMs = 250;
const longestRestMs = 10_000;
const refusedRestMs = 5_000;
/** A link without work is ended after this long. */
const idleMs = 20_000;

/** What a line is made of. */
export interface PeerLineParts {
  readonly transport: BlockTransport;
  readonly kvbm: InstanceId;
  readonly address: string;
  readonly kind: BlockKind;
  readonly speed: PeerSpeed;
  readonly counts: PeerCounts;
  readonly limits: TransferLimits;
  readonly clock: Clock;
  readonly log: Log;
}

/** Blocks that are to be told of. */
export interface WatchParts {
  readonly routes: Uint32Array;
  readonly there: (places: readonly number[]) => void;
  readonly gone: (places: readonly number[]) => void;
}

interface Want {
  readonly order: FetchOrder;
  readonly at: number;
  readonly sinceMs: number;
  tries: number;
}

interface Watch extends WatchParts {
  /** Places that are still open. */
  readonly open: Set<number>;
  tries: number;
  onLink: Disposable | undefined;
}

/**
 * The way to one peer for blocks of one kind: reached when there is something to ask, never more than a window on the way,
 * taken up again behind a cut where it stopped, left alone for a while where it does not work.
 */
export class PeerLine implements AsyncDisposable {
  readonly #parts: PeerLineParts;
  #queue: Want[] = [];
  readonly #watches = new Set<Watch>();
  #link: BlockLink | undefined;
  #dialling: Promise<void> | undefined;
  #failures = 0;
  /** This link, or the one that was cut, has brought a block. */
  #hasBrought = false;
  #restUntilMs = 0;
  #usedMs: number;
  #isOver = false;
  readonly #looking: Disposable;

  constructor(parts: PeerLineParts) {
    this.#parts = parts;
    this.#usedMs = parts.clock.nowMs();
    this.#looking = parts.clock.every(lateMs / 5, () => this.#look());
  }

  /** True where asking is of no use for the moment. */
  get isResting(): boolean {
    return this.#isOver || this.#parts.clock.nowMs() < this.#restUntilMs;
  }

  /** Bytes that come before what is asked for now. */
  get queuedBytes(): number {
    return this.#queue.length * this.#parts.kind.slotBytes + (this.#link?.openBytes ?? 0);
  }

  /** Address that it was made for. */
  get address(): string {
    return this.#parts.address;
  }

  /** Brings blocks, as a `BlockSource` does. */
  fetch(order: FetchOrder): void {
    const sinceMs = this.#parts.clock.nowMs();
    order.blocks.forEach((_, at) => {
      const want = { order, at, sinceMs, tries: 0 };
      if (this.isResting) this.#lose(want, "unreachable");
      else if (this.#queue.length >= mostQueued) this.#lose(want, "full");
      else this.#queue.push(want);
    });
    this.#pump();
  }

  /** Says when blocks are there; `gone` with the line's end at the latest. */
  watch(parts: WatchParts): Disposable {
    const places = Array.from({ length: parts.routes.length / 2 }, (_, place) => place);
    if (this.isResting) {
      parts.gone(places);
      return { [Symbol.dispose]: () => {} };
    }
    const watch: Watch = { ...parts, open: new Set(places), tries: 0, onLink: undefined };
    this.#watches.add(watch);
    if (this.#link === undefined) this.#pump();
    else this.#put(watch, this.#link);
    return {
      [Symbol.dispose]: () => {
        this.#watches.delete(watch);
        watch.onLink?.[Symbol.dispose]();
      },
    };
  }

  /** Resolves when no slot is touched any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#looking[Symbol.dispose]();
    this.#fail("cut");
    const link = this.#link;
    link?.[Symbol.dispose]();
    await this.#dialling;
    await link?.ended;
  }

  #pump(): void {
    if (this.#queue.length === 0 && this.#watches.size === 0) return;
    this.#usedMs = this.#parts.clock.nowMs();
    const { limits: { windowBytes }, clock } = this.#parts;
    if (this.#link === undefined) {
      this.#dialling ??= this.#dial().finally(() => this.#dialling = undefined);
      return;
    }
    // One that is over but has not said so yet: then the next one is reached.
    if (this.#link.isOver) return;
    while (this.#queue.length > 0 && this.#link.openBytes < windowBytes) {
      const wants = this.#queue.splice(0, mostOfPull);
      this.#link.pull({
        blocks: wants.map(({ order, at }) => order.blocks[at]),
        done: (at, end) => this.#done(wants[at], end),
        measured: (sample) => {
          this.#parts.speed.note(sample, clock.nowMs());
          this.#parts.counts.pulledBytes += sample.bytes;
          this.#pump();
        },
      });
    }
  }

  #done(want: Want, end: PullEnd): void {
    const { counts } = this.#parts;
    this.#usedMs = this.#parts.clock.nowMs();
    if (end === "landed") {
      counts.pulledBlocks += 1;
      this.#failures = 0;
      this.#hasBrought = true;
      want.order.done(want.at, "landed");
    } else if (end === "cut" && !this.#isOver && this.#again(want)) {
      counts.resumed += 1;
      this.#queue.push(want);
    } else this.#lose(want, end);
  }

  /** A link that brought something before its cut is worth another one; of those that brought nothing a few are tried. */
  #again(want: Want): boolean {
    if (!this.#hasBrought) want.tries += 1;
    return want.tries < mostTries;
  }

  #lose({ order, at }: Want, why: PullFailure): void {
    this.#parts.counts.failed[why] += 1;
    order.done(at, "lost");
  }

  /** Nothing more comes of what was asked. */
  #fail(why: PullFailure): void {
    for (const want of this.#queue.splice(0)) this.#lose(want, why);
    for (const watch of [...this.#watches]) this.#forsake(watch);
  }

  #forsake(watch: Watch): void {
    this.#watches.delete(watch);
    if (watch.open.size > 0) watch.gone([...watch.open]);
  }

  async #dial(): Promise<void> {
    const { transport, address, kind, kvbm, clock, log, speed } = this.#parts;
    const dialled = await transport.dial(address, kind);
    if (dialled.ok && (this.#isOver || dialled.value.kvbm !== kvbm)) {
      dialled.value[Symbol.dispose]();
      await dialled.value.ended;
      return this.#rest(restMs, "unreachable");
    }
    if (!dialled.ok) {
      const { code, message } = dialled.error;
      const isRefused = code !== "no_responders";
      const say = isRefused ? log.warn : log.debug;
      say.call(log, "no blocks from a peer", { peer: kvbm, reason: message });
      return this.#rest(isRefused ? refusedRestMs : restMs, isRefused ? "refused" : "unreachable");
    }
    const link = dialled.value;
    this.#link = link;
    this.#hasBrought = false;
    speed.note({ waitMs: link.roundTripMs, bytes: 0, movingMs: 0 }, clock.nowMs());
    void link.ended.then((reason) => this.#ended(link, reason));
    for (const watch of this.#watches) this.#put(watch, link);
    this.#pump();
  }

  #rest(ms: number, why: PullFailure): void {
    const longMs = Math.min(longestRestMs, ms * 2 ** Math.min(this.#failures++, 10));
    this.#restUntilMs = this.#parts.clock.nowMs() + longMs;
    this.#fail(why);
  }

  #ended(link: BlockLink, reason: string): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    // What the link left comes before what waited behind it, first blocks first.
    this.#queue.sort((x, y) => x.sinceMs - y.sinceMs || x.at - y.at);
    this.#parts.log.debug("a link to a peer ended", { peer: this.#parts.kvbm, reason });
    for (const watch of [...this.#watches]) {
      if (++watch.tries >= mostTries) this.#forsake(watch);
    }
    if (!this.#isOver) this.#pump();
  }

  #put(watch: Watch, link: BlockLink): void {
    const places = [...watch.open];
    if (places.length === 0) return;
    const { routes } = watch;
    watch.onLink = link.watch({
      routes: Uint32Array.from(
        places.flatMap((place) => [routes[2 * place], routes[2 * place + 1]]),
      ),
      there: (found) => {
        const now = found.map((i) => places[i]);
        for (const place of now) watch.open.delete(place);
        watch.there(now);
      },
      gone: (lost) => {
        // With the link's end: it is asked for again on the next one, while tries are left.
        if (this.#link !== link || link.isOver) return;
        const now = lost.map((i) => places[i]);
        for (const place of now) watch.open.delete(place);
        watch.gone(now);
      },
    });
  }

  #look(): void {
    const nowMs = this.#parts.clock.nowMs();
    const late = this.#queue.filter(({ sinceMs }) => nowMs - sinceMs > lateMs);
    if (late.length > 0) {
      this.#queue = this.#queue.filter((want) => !late.includes(want));
      for (const want of late) this.#lose(want, "late");
    }
    const isIdle = this.#watches.size === 0 && this.queuedBytes === 0;
    if (isIdle && nowMs - this.#usedMs > idleMs) this.#link?.[Symbol.dispose]();
  }
}
