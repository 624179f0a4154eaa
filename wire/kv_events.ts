import { binaryKinds, checkHeader, wireVersion, writeHeader } from "./header.ts";
import { hexOfBytes, putHex } from "./ids.ts";
import type { InstanceId, ModelHash } from "./ids.ts";
import { limits } from "./limits.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";

/** Where blocks live. */
export const tiers = ["device", "host", "disk", "remote"] as const;
/** Where blocks live. */
export type Tier = typeof tiers[number];

/**
 * One change of an owner's blocks. The publisher numbers its block copies (u32, > 0, not reused within an epoch until
 * removed), so a removal needs no hash. `parent` is the number of the block before, 0 at the start of a prompt.
 */
export type KvEvent =
  | {
    readonly op: "stored";
    readonly parent: number;
    /** Block numbers of a run, each the child of the one before, and their RouteHashes. */
    readonly numbers: Uint32Array;
    readonly hi: Uint32Array;
    readonly lo: Uint32Array;
  }
  | { readonly op: "removed"; readonly numbers: Uint32Array }
  | { readonly op: "cleared" };

/**
 * owner -> routers, published on `kv.<owner>` once per engine step. Layout, little-endian:
 * `u8 version, u8 kind, u8 tier, u8 cacheGroup, u8[8] owner, u8[8] epoch, u8[8] model, u32 numberLo, u32 numberHi,
 * u16 dpRank, u16 ops, u32 blockSize` (ops 65,535: that many or more, up to the end of the message), then per op `u8 op, u8[3] 0, u32 count` and
 * stored: `u32 parent, count x (u32 number, u32 lo, u32 hi)`; removed: `count x u32 number`; cleared: nothing.
 */
export interface KvEventBatch {
  readonly owner: InstanceId;
  /** The owner's instance id at the time: a new epoch starts with no blocks. */
  readonly epoch: InstanceId;
  readonly model: ModelHash;
  readonly dpRank: number;
  readonly tier: Tier;
  readonly cacheGroup: number;
  readonly blockSize: number;
  /** 1, 2, 3 ... within (owner, model, dpRank, tier); a gap means a snapshot is needed. Below 2^53. */
  readonly number: number;
  readonly events: readonly KvEvent[];
}

/** Bytes before the first event of a message. */
export const kvEventsHeadBytes = 44;
/** Count of events from which on they are counted by the end of the message: snapshots may hold more than a u16 says. */
const uncounted = 0xffff;
const opCodes = { stored: 1, removed: 2, cleared: 3 } as const;

function sizeOf(event: KvEvent): number {
  if (event.op === "stored") return 12 + 12 * event.numbers.length;
  return 8 + (event.op === "removed" ? 4 * event.numbers.length : 0);
}

/** Bytes of a batch. `maxBytes` lifts the message limit for snapshots, which travel in parts. */
export function encodeKvEvents(
  batch: KvEventBatch,
  maxBytes: number = limits.messageBytes,
): Uint8Array {
  let size = kvEventsHeadBytes;
  for (const event of batch.events) size += sizeOf(event);
  if (size > maxBytes) {
    throw new RangeError(`Cannot encode KV events: ${size} bytes, at most ${maxBytes}`);
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  writeHeader(view, binaryKinds.kvEvents);
  view.setUint8(2, tiers.indexOf(batch.tier));
  view.setUint8(3, batch.cacheGroup);
  putHex(bytes, 4, batch.owner);
  putHex(bytes, 12, batch.epoch);
  putHex(bytes, 20, batch.model);
  view.setUint32(28, batch.number >>> 0, true);
  view.setUint32(32, Math.floor(batch.number / 4294967296), true);
  view.setUint16(36, batch.dpRank, true);
  view.setUint16(38, Math.min(batch.events.length, uncounted), true);
  view.setUint32(40, batch.blockSize, true);
  let at = kvEventsHeadBytes;
  for (const event of batch.events) at = writeEvent(view, at, event);
  return bytes;
}

function writeEvent(view: DataView, start: number, event: KvEvent): number {
  let at = start;
  view.setUint8(at, opCodes[event.op]);
  view.setUint32(at + 4, event.op === "cleared" ? 0 : event.numbers.length, true);
  at += 8;
  if (event.op === "removed") {
    for (const number of event.numbers) {
      view.setUint32(at, number, true);
      at += 4;
    }
  } else if (event.op === "stored") {
    view.setUint32(at, event.parent, true);
    at += 4;
    for (let i = 0; i < event.numbers.length; i++, at += 12) {
      view.setUint32(at, event.numbers[i], true);
      view.setUint32(at + 4, event.lo[i], true);
      view.setUint32(at + 8, event.hi[i], true);
    }
  }
  return at;
}

/** The head of a KV event message, read into the same object again and again; ids as two u32 each, in wire order. */
export class KvEventsHead {
  readonly owner = new Uint32Array(2);
  readonly epoch = new Uint32Array(2);
  readonly model = new Uint32Array(2);
  /** Place in `tiers`. */
  tier = 0;
  cacheGroup = 0;
  dpRank = 0;
  blockSize = 0;
  number = 0;
  /** Events of the message; 65,535: up to its end. */
  ops = 0;

  /** Reads the head of a message; false where it is none, or holds what no head may. */
  read(bytes: Uint8Array, maxBytes: number = limits.messageBytes): boolean {
    if (
      bytes.length < kvEventsHeadBytes || bytes.length > maxBytes || bytes[0] !== wireVersion ||
      bytes[1] !== binaryKinds.kvEvents
    ) return false;
    this.tier = bytes[2];
    this.cacheGroup = bytes[3];
    const { owner, epoch, model } = this;
    owner[0] = wordAt(bytes, 4);
    owner[1] = wordAt(bytes, 8);
    epoch[0] = wordAt(bytes, 12);
    epoch[1] = wordAt(bytes, 16);
    model[0] = wordAt(bytes, 20);
    model[1] = wordAt(bytes, 24);
    const high = wordAt(bytes, 32) >>> 0;
    this.number = high * 4294967296 + (wordAt(bytes, 28) >>> 0);
    this.dpRank = bytes[36] | bytes[37] << 8;
    this.ops = bytes[38] | bytes[39] << 8;
    this.blockSize = wordAt(bytes, 40) >>> 0;
    return this.tier < tiers.length && high <= 0x1fffff && this.blockSize > 0;
  }
}

/** The words of an id as a head holds them. */
export function idWords(id: InstanceId | ModelHash): Uint32Array {
  const bytes = new Uint8Array(8);
  putHex(bytes, 0, id);
  return Uint32Array.of(wordAt(bytes, 0), wordAt(bytes, 4));
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
}

/** The batch in `bytes`, or `decode_error`. */
export function decodeKvEvents(
  bytes: Uint8Array,
  maxBytes: number = limits.messageBytes,
): Result<KvEventBatch> {
  const header = checkHeader(bytes, binaryKinds.kvEvents, kvEventsHeadBytes, maxBytes);
  if (!header.ok) return header;
  const head = new KvEventsHead();
  if (!head.read(bytes, maxBytes)) {
    return fail(
      "decode_error",
      "Cannot decode KV events: tier, number or block size is out of range",
    );
  }
  const events = decodeKvEventBody(bytes, { at: kvEventsHeadBytes, ops: head.ops });
  if (events === undefined) {
    return fail(
      "decode_error",
      "Cannot decode KV events: an event is cut or unknown, or bytes come after the last",
    );
  }
  return ok({
    owner: hexOfBytes(bytes, 4, 12) as InstanceId,
    epoch: hexOfBytes(bytes, 12, 20) as InstanceId,
    model: hexOfBytes(bytes, 20, 28) as ModelHash,
    ...{ dpRank: head.dpRank, tier: tiers[head.tier], cacheGroup: head.cacheGroup },
    ...{ blockSize: head.blockSize, number: head.number, events },
  });
}

/** The events of a message from `at` on; nothing where they are cut, unknown, or not as many as `ops` says. */
export function decodeKvEventBody(
  bytes: Uint8Array,
  body: { readonly at: number; readonly ops: number },
): KvEvent[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: KvEvent[] = [];
  let at = body.at;
  const isLast = () => body.ops === uncounted ? at >= bytes.length : events.length === body.ops;
  while (!isLast()) {
    const read = readEvent(view, at);
    if (read === undefined) return undefined;
    events.push(read);
    at += sizeOf(read);
  }
  return at === bytes.length ? events : undefined;
}

function readEvent(view: DataView, at: number): KvEvent | undefined {
  const left = view.byteLength - at;
  if (left < 8) return undefined;
  const op = view.getUint8(at);
  const count = view.getUint32(at + 4, true);
  if (op === opCodes.cleared) return count === 0 ? { op: "cleared" } : undefined;
  if (op === opCodes.removed) {
    if (count > (left - 8) / 4) return undefined;
    const numbers = new Uint32Array(count);
    for (let i = 0; i < count; i++) numbers[i] = view.getUint32(at + 8 + 4 * i, true);
    return { op: "removed", numbers };
  }
  if (op !== opCodes.stored || left < 12 || count > (left - 12) / 12) return undefined;
  const numbers = new Uint32Array(count);
  const lo = new Uint32Array(count);
  const hi = new Uint32Array(count);
  for (let i = 0, from = at + 12; i < count; i++, from += 12) {
    numbers[i] = view.getUint32(from, true);
    lo[i] = view.getUint32(from + 4, true);
    hi[i] = view.getUint32(from + 8, true);
  }
  return { op: "stored", parent: view.getUint32(at + 8, true), numbers, hi, lo };
}
