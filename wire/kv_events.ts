import { binaryKinds, checkHeader, writeHeader } from "./header.ts";
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
 * u16 dpRank, u16 ops, u32 blockSize`, then per op `u8 op, u8[3] 0, u32 count` and
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

const headBytes = 44;
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
  let size = headBytes;
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
  view.setUint16(38, batch.events.length, true);
  view.setUint32(40, batch.blockSize, true);
  let at = headBytes;
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

/** The batch in `bytes`, or `decode_error`. */
export function decodeKvEvents(
  bytes: Uint8Array,
  maxBytes: number = limits.messageBytes,
): Result<KvEventBatch> {
  const header = checkHeader(bytes, binaryKinds.kvEvents, headBytes, maxBytes);
  if (!header.ok) return header;
  const view = header.value;
  const tier = tiers[view.getUint8(2)];
  const high = view.getUint32(32, true);
  const blockSize = view.getUint32(40, true);
  if (tier === undefined || high > 0x1fffff || blockSize === 0) {
    return fail(
      "decode_error",
      "Cannot decode KV events: tier, number or block size is out of range",
    );
  }
  const events: KvEvent[] = [];
  const ops = view.getUint16(38, true);
  let at = headBytes;
  for (let n = 0; n < ops; n++) {
    const read = readEvent(view, at);
    if (read === undefined) {
      return fail("decode_error", `Cannot decode KV events: event ${n} is cut or unknown`);
    }
    events.push(read);
    at += sizeOf(read);
  }
  if (at !== bytes.length) {
    return fail("decode_error", "Cannot decode KV events: bytes after its end");
  }
  return ok({
    owner: hexOfBytes(bytes, 4, 12) as InstanceId,
    epoch: hexOfBytes(bytes, 12, 20) as InstanceId,
    model: hexOfBytes(bytes, 20, 28) as ModelHash,
    dpRank: view.getUint16(36, true),
    tier,
    cacheGroup: view.getUint8(3),
    blockSize,
    number: high * 4294967296 + view.getUint32(28, true),
    events,
  });
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
