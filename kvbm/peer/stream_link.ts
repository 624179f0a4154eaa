import { bytesOfU32s, u32sOf } from "@pixii/wire";
import type { InstanceId, TransferMessage, TransferOp } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import { isBlock } from "../disk/disk_store.ts";
import type { BlockKind, BlockLink, PullEnd, PullOrder, WatchOrder } from "./block_transport.ts";
import type { TransferChannel } from "./transfer_channel.ts";
import type { TransferLimits } from "./transfer_limits.ts";

/** What a link is made of, after the greeting. */
export interface StreamLinkParts {
  readonly kvbm: InstanceId;
  readonly roundTripMs: number;
  readonly kind: BlockKind;
  readonly clock: Clock;
  readonly limits: TransferLimits;
}

interface Pull {
  readonly order: PullOrder;
  /** Places that are still open. */
  readonly open: Set<number>;
  readonly askedMs: number;
  readonly wasIdle: boolean;
  firstMs: number | undefined;
  bytes: number;
}

/** The asking end of a stream. */
export class StreamLink implements BlockLink {
  readonly kvbm: InstanceId;
  readonly roundTripMs: number;
  readonly ended: Promise<string>;
  readonly #channel: TransferChannel;
  readonly #parts: StreamLinkParts;
  readonly #pulls = new Map<number, Pull>();
  readonly #watches = new Map<number, { readonly order: WatchOrder; readonly open: Set<number> }>();
  /** Messages that wait for the one before to go out. */
  readonly #outbox: { op: TransferOp; id: number; body?: Uint8Array }[] = [];
  #isSending = false;
  #id = 0;
  #openBlocks = 0;
  #isOver = false;
  #problem: string | undefined;

  constructor(channel: TransferChannel, parts: StreamLinkParts) {
    this.#channel = channel;
    this.#parts = parts;
    this.kvbm = parts.kvbm;
    this.roundTripMs = parts.roundTripMs;
    this.ended = this.#run();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get openBytes(): number {
    return this.#openBlocks * this.#parts.kind.slotBytes;
  }

  pull(order: PullOrder): void {
    const { blocks } = order;
    if (this.#isOver) return blocks.forEach((_, at) => order.done(at, "cut"));
    const id = this.#nextId();
    const open = new Set(blocks.keys());
    const wasIdle = this.#pulls.size === 0;
    const askedMs = this.#parts.clock.nowMs();
    this.#pulls.set(id, { order, open, askedMs, wasIdle, firstMs: undefined, bytes: 0 });
    this.#openBlocks += blocks.length;
    const routes = Uint32Array.from(blocks.flatMap(({ hi, lo }) => [lo, hi]));
    this.#say("pull", id, bytesOfU32s(routes));
  }

  watch(order: WatchOrder): Disposable {
    const places = Array.from({ length: order.routes.length / 2 }, (_, place) => place);
    if (this.#isOver) {
      order.gone(places);
      return { [Symbol.dispose]: () => {} };
    }
    const id = this.#nextId();
    this.#watches.set(id, { order, open: new Set(places) });
    this.#say("await", id, bytesOfU32s(order.routes));
    return {
      [Symbol.dispose]: () => {
        if (this.#watches.delete(id)) this.#say("release", id);
      },
    };
  }

  /** Ends it; `ended` tells when its slots are let go of. */
  [Symbol.dispose](): void {
    this.#problem ??= "it was ended from here";
    this.#channel.close();
  }

  #nextId(): number {
    this.#id = (this.#id + 1) >>> 0;
    return this.#id;
  }

  #say(op: TransferOp, id: number, body?: Uint8Array): void {
    if (this.#isOver) return;
    this.#outbox.push({ op, id, body });
    if (!this.#isSending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#outbox.length > 0 && !this.#isOver) {
      for (const { op, id, body } of this.#outbox.splice(0)) await this.#channel.send(op, id, body);
      if (!await this.#channel.flush()) break;
    }
    this.#isSending = false;
  }

  async #run(): Promise<string> {
    const { clock, limits: { stallMs } } = this.#parts;
    using _ = clock.every(stallMs / 4, () => this.#look());
    while (!this.#isOver) {
      const message = await this.#channel.receive();
      if (message === undefined || !await this.#take(message)) break;
    }
    this.#isOver = true;
    this.#channel.close();
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    for (const { order, open } of watches) if (open.size > 0) order.gone([...open]);
    for (const [id, pull] of this.#pulls) {
      for (const place of [...pull.open]) this.#end(id, { pull, place }, "cut");
    }
    return this.#channel.problem ?? this.#problem ?? "the other side ended the connection";
  }

  /** False where the other side breaks the rules or is gone. */
  async #take({ op, id, body }: TransferMessage): Promise<boolean> {
    const rows = u32sOf(op === "refuse" ? body.subarray(0, 0) : body);
    switch (op) {
      case "blocks":
        return await this.#blocks(id, rows);
      case "there":
      case "gone": {
        const pull = this.#pulls.get(id);
        if (pull !== undefined && op === "gone") return this.#gone(id, pull, rows);
        const watch = this.#watches.get(id);
        const places = [...rows].filter((place) => watch?.open.delete(place));
        // Of a watch that ended here a moment ago.
        if (watch === undefined || places.length === 0) return true;
        watch.order[op](places);
        return true;
      }
      case "refuse":
        this.#problem = new TextDecoder().decode(body);
        return false;
      default:
        this.#problem = `the other side sent ${op}`;
        return false;
    }
  }

  async #blocks(id: number, rows: Uint32Array): Promise<boolean> {
    const pull = this.#pulls.get(id);
    const { clock, kind } = this.#parts;
    for (let i = 0; i < rows.length; i += 2) {
      const [place, bytes] = [rows[i], rows[i + 1]];
      const slot = pull?.order.blocks[place];
      if (pull === undefined || slot === undefined || !pull.open.has(place)) {
        this.#problem = "the other side sent a block that nobody asked for";
        return false;
      }
      if (bytes === 0 || bytes > slot.view.byteLength) {
        this.#problem = `the other side sent a block of ${bytes} bytes`;
        return false;
      }
      pull.firstMs ??= clock.nowMs();
      const view = slot.view.subarray(0, bytes);
      if (!await this.#channel.fill(view)) return false;
      pull.bytes += bytes;
      const isGood = isBlock(view, { hi: slot.hi, lo: slot.lo, layout: kind });
      this.#end(id, { pull, place }, isGood ? "landed" : "damaged");
    }
    return true;
  }

  #gone(id: number, pull: Pull, rows: Uint32Array): boolean {
    for (const place of rows) if (pull.open.has(place)) this.#end(id, { pull, place }, "gone");
    return true;
  }

  #end(id: number, { pull, place }: { pull: Pull; place: number }, end: PullEnd): void {
    const { order, open, askedMs, firstMs, wasIdle, bytes } = pull;
    open.delete(place);
    this.#openBlocks -= 1;
    order.done(place, end);
    if (open.size > 0) return;
    this.#pulls.delete(id);
    if (firstMs === undefined) return;
    const waitMs = wasIdle ? firstMs - askedMs : undefined;
    order.measured?.({ waitMs, bytes, movingMs: this.#parts.clock.nowMs() - firstMs });
  }

  #look(): void {
    if (this.#pulls.size === 0) return;
    const { clock, limits: { stallMs } } = this.#parts;
    const oldestMs = Math.min(...[...this.#pulls.values()].map(({ askedMs }) => askedMs));
    const sinceMs = Math.max(oldestMs, this.#channel.movedMs);
    if (clock.nowMs() - sinceMs <= stallMs) return;
    this.#problem = `nothing came for ${stallMs} ms`;
    this.#channel.close();
  }
}
