import {
  decode,
  decodeStoreRows,
  encode,
  encodeStoreRows,
  fail,
  hexOfU64,
  layoutHash,
  mostStoreRows,
  ok,
  storeFrames,
} from "@pixii/wire";
import type { InstanceId, Result, StoreHello, StoreRows, StoreWelcome } from "@pixii/wire";
import type { Clock, Frame, FrameSocket, Log } from "@pixii/runtime";
import type { BlockPool } from "./core/block_pool.ts";
import type { FetchDesk, PlaceRange } from "./fetch_desk.ts";
import type { PeerSide } from "./peer/peer_side.ts";
import { pageBytes } from "./pool_file.ts";

/** How often a worker whose connection ended is looked at: is its process gone? */
const lookEveryMs = 250;

/** What the server works on. */
export interface StoreServerParts {
  readonly kvbm: InstanceId;
  readonly pool: BlockPool;
  /** Brings what is not in the pool. */
  readonly desk: FetchDesk;
  /** Says whether what another block manager has is worth pulling; without it nothing is. */
  readonly peers?: Pick<PeerSide, "chosen">;
  readonly path: string;
  readonly poolBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  /** When a process began; `undefined` where it is gone. */
  readonly startOf: (pid: number) => string | undefined;
  /** A worker came whose blocks are of this layout of the pool. */
  readonly onModel: (hello: StoreHello, layout: number) => void;
  /** Blocks of this layout may have changed. */
  readonly onChange: (layout: number) => void;
}

/** What a worker was told of who has blocks of a question. */
interface SaidHolder extends PlaceRange {
  readonly lease: number;
  readonly kvbm: InstanceId;
  /** What computing them takes the worker; 0 where that is not known. */
  readonly computeMs: number;
}

/** A worker as the server knows it. */
interface Member {
  readonly hello: StoreHello;
  readonly layout: number;
  client: number;
  /** `undefined` while its connection is lost: what it holds stays held while its process lives. */
  socket: FrameSocket | undefined;
  /** Another block manager that is said to have blocks of its next question. */
  from?: SaidHolder | undefined;
  /** False where its process cannot be seen from here: then nothing is ever taken from it. */
  readonly isVisible: boolean;
}

/** A worker as `/pool` lists it. */
export interface MemberFacts {
  readonly instance: InstanceId;
  readonly pid: number;
  readonly connected: boolean;
  readonly reserved: number;
  readonly leases: number;
}

/**
 * The conversation with the workers of this host. What a worker holds is its process's, not its connection's: native code
 * may still read or write there after a connection broke. It falls when the worker says hello again, or is gone.
 */
export class StoreServer implements Disposable {
  readonly #parts: StoreServerParts;
  readonly #members = new Map<InstanceId, Member>();
  readonly #looking: Disposable;

  constructor(parts: StoreServerParts) {
    this.#parts = parts;
    this.#looking = parts.clock.every(lookEveryMs, () => this.#look());
  }

  /** All workers, connected or not. */
  members(): MemberFacts[] {
    return [...this.#members.values()].map(({ hello, client, socket }) => {
      const { reserved, leases } = this.#parts.pool.clients.get(client)!;
      return {
        instance: hello.instance,
        pid: hello.pid,
        connected: socket !== undefined,
        reserved: reserved.size,
        leases: leases.size,
      };
    });
  }

  /** Tells the connected workers of a layout which blocks have left the pool. */
  gone(layout: number, slots: Uint32Array): void {
    for (let at = 0; at < slots.length; at += mostStoreRows) {
      const words = slots.subarray(at, at + mostStoreRows);
      const payload = encodeStoreRows({ op: "gone", arg: 0, words });
      for (const member of this.#members.values()) {
        if (member.layout === layout) member.socket?.send(storeFrames.tell, 0, "", payload);
      }
    }
  }

  /** Tells a client what became of blocks that it waits for. */
  tell(client: number, op: "landed" | "lost", words: Uint32Array): void {
    const payload = encodeStoreRows({ op, arg: 0, words });
    for (const member of this.#members.values()) {
      if (member.client === client) member.socket?.send(storeFrames.tell, 0, "", payload);
    }
  }

  /** Serves one connection to its end. */
  async serve(socket: FrameSocket): Promise<void> {
    const frames = socket.frames();
    const first = await frames.next();
    if (first.done) return;
    const greeted = this.#greet(first.value, socket);
    if (!greeted.ok) {
      this.#parts.log.warn("a worker is refused", { reason: greeted.error.message });
      answer(socket, first.value.id, encode("refusal", { error: greeted.error }));
      await socket.drained();
      return;
    }
    const member = greeted.value;
    try {
      for await (const frame of frames) this.#take(member, socket, frame);
    } finally {
      this.#left(member, socket);
    }
  }

  [Symbol.dispose](): void {
    this.#looking[Symbol.dispose]();
  }

  #greet(frame: Frame, socket: FrameSocket): Result<Member> {
    const decoded = decode("storeHello", frame.payload);
    if (!decoded.ok) return decoded;
    const hello = decoded.value;
    const { pool, log, startOf, onModel } = this.#parts;
    const hash = layoutHash(hello.layoutFingerprint);
    const slotPages = Math.ceil(hello.blockBytes / pageBytes);
    const layout = pool.layout({ ...hash, blockSize: hello.blockSize, slotPages });
    if (layout === undefined) {
      return fail(
        "invalid_request",
        `Cannot keep blocks of ${hello.blockBytes} bytes for ${hello.layoutFingerprint}: longer than a segment (raise --kv-segment) or another size than before`,
      );
    }
    const old = this.#members.get(hello.instance);
    if (old !== undefined) {
      // It says that it holds nothing any more.
      this.#parts.desk.leave(old.client);
      pool.leave(old.client);
      this.#parts.onChange(old.layout);
      old.socket?.close();
    }
    const isVisible = startOf(hello.pid) === hello.processStart;
    if (!isVisible) {
      log.warn("a worker's process cannot be seen from here: what it holds stays held if it dies", {
        ...{ worker: hello.instance, pid: hello.pid, fix: "let both share a process namespace" },
      });
    }
    const member: Member = { hello, layout, client: pool.join(layout), socket, isVisible };
    this.#members.set(hello.instance, member);
    onModel(hello, layout);
    answer(socket, frame.id, encode("storeWelcome", this.#welcome(layout, slotPages)));
    log.debug("a worker joined", {
      ...{ worker: hello.instance, layout: hexOfU64(hash.hi, hash.lo) },
    });
    return ok(member);
  }

  #welcome(layout: number, slotPages: number): StoreWelcome {
    const { kvbm, path, poolBytes, pool } = this.#parts;
    return {
      ...{ kvbm, path, poolBytes, pageBytes },
      slotBytes: slotPages * pageBytes,
      mostReserved: pool.mostReserved(layout),
    };
  }

  #take(member: Member, socket: FrameSocket, frame: Frame): void {
    const rows = decodeStoreRows(frame.payload);
    if (!rows.ok) throw new TypeError(rows.error.message);
    // A connection that was replaced speaks for nobody.
    if (member.socket !== socket) return;
    const said = this.#answer(member, rows.value);
    if (said !== undefined) answer(socket, frame.id, encodeStoreRows(said));
    this.#parts.onChange(member.layout);
  }

  #answer(member: Member, { op, arg, words }: StoreRows): StoreRows | undefined {
    const { pool, desk, kvbm: own } = this.#parts;
    const { client, layout } = member;
    switch (op) {
      case "find":
      case "findEnd":
      case "await": {
        const found = pool.find(client, arg, words, { hasEnd: op === "findEnd" });
        const awaits = op === "await";
        const said = member.from?.lease === arg ? member.from : undefined;
        member.from = undefined;
        const from = awaits ? said?.kvbm : said && this.#chosen(layout, words, said);
        const ofFrom = awaits ? undefined : said;
        desk.want({ client, lease: arg, layout, routes: words, found, awaits, from, ofFrom });
        return { op: "found", arg, words: found };
      }
      case "from": {
        const kvbm = hexOfU64(words[1], words[0]) as InstanceId;
        const [first = 0, end = Infinity, computeMs = 0] = words.subarray(2);
        // What this one is to have itself it needs nobody for.
        const said = { lease: arg, kvbm, first, end, computeMs };
        member.from = words.length >= 2 && kvbm !== own ? said : undefined;
        return undefined;
      }
      case "reserve":
        return { op: "reserved", arg, words: pool.reserve(client, arg) };
      case "commit": {
        const rows = pool.commit(client, words);
        desk.committed(layout, words, rows);
        return { op: "committed", arg, words: rows };
      }
      case "commitPrivate": {
        const rows = desk.commitPrivate(client, layout, words);
        return { op: "committed", arg, words: rows };
      }
      case "release":
        desk.release(client, words);
        return void pool.release(client, words);
      case "giveUp":
        return void pool.giveUp(client, words);
      case "damaged":
        return void pool.damaged(client, words);
      default:
        throw new TypeError(`a worker sent ${op}`);
    }
  }

  /** The block manager to pull from what a question lacks, where that is sooner there than computed. */
  #chosen(
    layout: number,
    words: Uint32Array,
    { kvbm, first, end, computeMs }: SaidHolder,
  ): InstanceId | undefined {
    const { peers, desk } = this.#parts;
    const routes = words.subarray(2 * first, Math.min(words.length, 2 * end));
    const lacking = desk.lacking(layout, routes);
    if (lacking === 0) return undefined;
    const share = lacking / (routes.length / 2);
    return peers?.chosen(kvbm, layout, {
      routes,
      computeMs: computeMs === 0 ? undefined : computeMs * share,
    });
  }

  #left(member: Member, socket: FrameSocket): void {
    if (member.socket !== socket) return;
    member.socket = undefined;
    this.#look();
  }

  /** Takes back what the dead held. */
  #look(): void {
    const { pool, startOf, onChange, log } = this.#parts;
    for (const [instance, member] of this.#members) {
      const { hello, socket, isVisible } = member;
      if (socket !== undefined || !isVisible) continue;
      if (startOf(hello.pid) === hello.processStart) continue;
      const { reserved, leases } = pool.clients.get(member.client)!;
      log.info("took back what a worker held that is gone", {
        ...{ worker: instance, reserved: reserved.size, leases: leases.size },
      });
      this.#parts.desk.leave(member.client);
      pool.leave(member.client);
      this.#members.delete(instance);
      onChange(member.layout);
    }
  }
}

function answer(socket: FrameSocket, id: number, payload: Uint8Array): void {
  socket.send(storeFrames.answer, id, "", payload);
}
