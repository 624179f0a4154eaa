import { bytesOfU32s, mostTransferRows, u32sOf } from "@pixii/wire";
import type { TransferHello, TransferMessage, TransferOp } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type { BlockGiver, BlockShelf } from "./block_transport.ts";
import { admit } from "./stream_greeting.ts";
import type { StreamTransportParts } from "./stream_transport.ts";
import type { TransferChannel } from "./transfer_channel.ts";
import type { TransferLimits } from "./transfer_limits.ts";

/** Blocks whose bytes follow one message. */
const mostOfMessage = 16;

/** A block that is to be sent, or word of one. */
interface Job {
  readonly op: Extract<TransferOp, "blocks" | "gone" | "there">;
  readonly lease: number;
  readonly place: number;
  readonly view?: Uint8Array<ArrayBuffer>;
}

/** A question that is not answered in full, or whose blocks are kept. */
interface Asked {
  readonly isPull: boolean;
  left: number;
}

/**
 * The giving end of a stream: takes questions as they come and answers one block after the other, as fast as the asker
 * reads. Nothing is queued but places: a block waits in its slot, pinned.
 */
export class StreamGiver {
  readonly #channel: TransferChannel;
  readonly #shelf: BlockShelf;
  readonly #limits: TransferLimits;
  readonly #clock: Clock;
  readonly #asked = new Map<number, Asked>();
  #openBlocks = 0;
  #jobs: Job[] = [];
  /** Leases that end once what was to be sent before is sent. */
  #over: number[] = [];
  #wake: () => void = () => {};
  #isOver = false;
  #heardMs: number;
  #isWriting = false;

  private constructor(
    channel: TransferChannel,
    parts: { hello: TransferHello; giver: BlockGiver; clock: Clock; limits: TransferLimits },
  ) {
    const { hello: { kvbm, layout, blockSize, slotBytes }, giver, clock, limits } = parts;
    this.#channel = channel;
    this.#clock = clock;
    this.#limits = limits;
    this.#heardMs = clock.nowMs();
    this.#shelf = giver.open(kvbm, { ...layout, blockSize, slotBytes }, {
      landed: (lease, place, view) => {
        const isPull = this.#asked.get(lease)?.isPull;
        if (isPull !== undefined) {
          this.#push(isPull ? { op: "blocks", lease, place, view } : { op: "there", lease, place });
        }
      },
      lost: (lease, place) => {
        if (this.#asked.has(lease)) this.#push({ op: "gone", lease, place });
      },
    });
  }

  /** Lets the asker in, or tells it why not. */
  static async admit(
    channel: TransferChannel,
    giver: BlockGiver,
    parts: StreamTransportParts,
  ): Promise<StreamGiver | undefined> {
    const admitted = await admit(channel, giver, parts);
    if (admitted.ok) return new StreamGiver(channel, { ...parts, hello: admitted.value, giver });
    const { message } = admitted.error;
    parts.log.warn("a block manager is refused", { peer: channel.peer, reason: message });
    await channel.send("refuse", 0, new TextEncoder().encode(message));
    await channel.flush();
    return undefined;
  }

  /** Serves the asker until it goes, falls silent or breaks the rules. */
  async run(): Promise<void> {
    const { silentMs, stallMs } = this.#limits;
    using _ = this.#clock.every(Math.min(silentMs, stallMs) / 4, () => this.#look());
    const sending = this.#send();
    try {
      while (!this.#isOver) {
        const message = await this.#channel.receive();
        if (message === undefined || !this.#take(message)) break;
        this.#heardMs = this.#clock.nowMs();
      }
    } finally {
      this.#isOver = true;
      this.#channel.close();
      this.#wake();
      // A write that is under way reads from a slot: it is let go of only after that.
      await sending;
      this.#shelf[Symbol.dispose]();
    }
  }

  /** False where the asker breaks the rules. */
  #take({ op, id, body }: TransferMessage): boolean {
    if (op === "release") {
      const asked = this.#asked.get(id);
      if (asked?.isPull !== false) return asked === undefined;
      this.#asked.delete(id);
      this.#openBlocks -= asked.left;
      this.#jobs = this.#jobs.filter(({ lease }) => lease !== id);
      this.#over.push(id);
      this.#wake();
      return true;
    }
    if ((op !== "pull" && op !== "await") || this.#asked.has(id)) return false;
    const routes = u32sOf(body);
    const count = routes.length / 2;
    this.#openBlocks += count;
    if (this.#openBlocks > this.#limits.mostOpenBlocks) return false;
    const isPull = op === "pull";
    this.#asked.set(id, { isPull, left: count });
    const shelved = isPull ? this.#shelf.find(id, routes) : this.#shelf.await(id, routes);
    shelved.forEach((found, place) => {
      if (found === "coming") return;
      if (found === "gone") this.#push({ op: "gone", lease: id, place });
      else if (isPull) this.#push({ op: "blocks", lease: id, place, view: found });
      else this.#push({ op: "there", lease: id, place });
    });
    return true;
  }

  #push(job: Job): void {
    this.#jobs.push(job);
    this.#wake();
  }

  async #send(): Promise<void> {
    while (!this.#isOver) {
      const batch = this.#next();
      if (batch.length > 0) {
        if (!await this.#answer(batch)) break;
        continue;
      }
      for (const lease of this.#over.splice(0)) this.#shelf.release(lease);
      this.#isWriting = true;
      const isSent = await this.#channel.flush();
      this.#isWriting = false;
      if (!isSent) break;
      if (this.#jobs.length + this.#over.length > 0 || this.#isOver) continue;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#channel.close();
  }

  /** The next jobs that go in one message. */
  #next(): Job[] {
    const [first] = this.#jobs;
    if (first === undefined) return [];
    const most = first.op === "blocks" ? mostOfMessage : mostTransferRows;
    let count = 1;
    while (count < this.#jobs.length && count < most) {
      const { op, lease } = this.#jobs[count];
      if (op !== first.op || lease !== first.lease) break;
      count += 1;
    }
    return this.#jobs.splice(0, count);
  }

  async #answer(batch: readonly Job[]): Promise<boolean> {
    const [{ op, lease }] = batch;
    const rows = batch.flatMap(({ place, view }) =>
      op === "blocks" ? [place, view!.byteLength] : [place]
    );
    this.#isWriting = true;
    let isSent = await this.#channel.send(op, lease, bytesOfU32s(Uint32Array.from(rows)));
    for (const { view } of batch) {
      if (isSent && view !== undefined) isSent = await this.#channel.put(view);
    }
    this.#isWriting = false;
    this.#answered(lease, batch.length);
    return isSent;
  }

  #answered(lease: number, count: number): void {
    const asked = this.#asked.get(lease);
    if (asked === undefined) return;
    asked.left -= count;
    this.#openBlocks -= count;
    if (!asked.isPull || asked.left > 0) return;
    this.#asked.delete(lease);
    // What is short may still lie in the buffer, but that is a copy.
    this.#shelf.release(lease);
  }

  #look(): void {
    const nowMs = this.#clock.nowMs();
    const isStuck = this.#isWriting && nowMs - this.#channel.movedMs > this.#limits.stallMs;
    if (isStuck || nowMs - this.#heardMs > this.#limits.silentMs) this.#channel.close();
  }
}
