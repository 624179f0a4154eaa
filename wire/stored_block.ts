import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";
import type { StoreKey } from "./store_key.ts";
import type { Hash64 } from "./xxh64.ts";

/** What a stored block says of itself before its payload, in memory, on disk and between hosts. */
export interface StoredBlock {
  readonly key: StoreKey;
  /** RouteHash of the block before, of the same layout; `undefined` for the first block of a prompt. */
  readonly parent: Readonly<Hash64> | undefined;
  /** Place in the sequence: its tokens begin at `index * tokens.length`. */
  readonly index: number;
  readonly tokens: Uint32Array;
  /** sha256 of whose block it is: adapter digest, tenant salt and extra key. 32 bytes. */
  readonly scope: Uint8Array;
  /** Some of its tokens, or of those before it, were computed by decode steps. */
  readonly decoded: boolean;
  readonly payloadBytes: number;
  /** CRC-32 (ISO-HDLC, as in zlib) of the payload. */
  readonly payloadCrc: number;
  /**
   * It is the tail fragment of a hand-over: the tokens behind the last whole block that a prompt may reuse, 1 to a whole
   * block of them, with what was sampled behind them.
   */
  readonly handover?: {
    /** The first output token. */
    readonly token: number;
    /** Its output index: where the sampler stands. */
    readonly index: number;
  };
  /**
   * It is a prompt's end: its tokens are those behind the last whole block that a prompt may reuse, 1 to a whole block, and
   * its payload ends with the row of logits behind the last of them.
   */
  readonly end?: true;
}

/** CRC-32 (ISO-HDLC, as in zlib) of bytes; the caller's, since the platform's is ten times faster than one in TypeScript. */
export type Crc32 = (bytes: Uint8Array) => number;

const magic = 0x424b5850; // "PXKB"
const version = 1;
const crc32Code = 1;
const flags = { decoded: 1, first: 2, handover: 4, end: 8 } as const;
const headBytes = 128;
const headerCrcAt = 60;
const handoverAt = 96;
/** The payload begins at a multiple of this: a cache line, for the copies. */
const alignBytes = 64;
/** Most tokens of a block. */
export const mostBlockTokens = 4096;

/** Bytes before the payload of a block of `tokens` tokens. */
export function payloadOffset(tokens: number): number {
  return Math.ceil((headBytes + 4 * tokens) / alignBytes) * alignBytes;
}

/**
 * Writes the header at the start of `slot`. Little-endian: `u32 magic, u16 version, u8 checksum (1 = crc32), u8 flags
 * (1 decoded, 2 first, 4 hand-over, 8 end of a prompt), u32[2] route lo hi, u32[2] layout, u32[2] parent route, u32 index,
 * u32 tokens, u32 payload offset, u32 0, u32[2] payload bytes lo hi, u32 payload crc, u32 header crc, u8[32] scope, u32
 * first token, u32 its index (both 0 without a hand-over), u8[24] 0, u32 token ids`, zeros up to the payload. The header
 * crc covers everything before the payload with itself as 0.
 */
export function writeStoredBlock(slot: Uint8Array, block: StoredBlock, crc32: Crc32): void {
  const { key, parent, tokens } = block;
  const offset = payloadOffset(tokens.length);
  if (tokens.length > mostBlockTokens || offset + block.payloadBytes > slot.byteLength) {
    throw new RangeError(`a block of ${tokens.length} tokens does not fit its slot`);
  }
  slot.fill(0, 0, offset);
  const view = new DataView(slot.buffer, slot.byteOffset, offset);
  view.setUint32(0, magic, true);
  view.setUint16(4, version, true);
  view.setUint8(6, crc32Code);
  const first = parent === undefined ? flags.first : 0;
  const handover = block.handover === undefined ? 0 : flags.handover;
  const end = block.end === undefined ? 0 : flags.end;
  view.setUint8(7, (block.decoded ? flags.decoded : 0) | first | handover | end);
  putHash(view, 8, key.route);
  putHash(view, 16, key.layout);
  if (parent !== undefined) putHash(view, 24, parent);
  view.setUint32(32, block.index, true);
  view.setUint32(36, tokens.length, true);
  view.setUint32(40, offset, true);
  view.setUint32(48, block.payloadBytes >>> 0, true);
  view.setUint32(52, Math.floor(block.payloadBytes / 4294967296), true);
  view.setUint32(56, block.payloadCrc, true);
  slot.set(block.scope, 64);
  view.setUint32(handoverAt, block.handover?.token ?? 0, true);
  view.setUint32(handoverAt + 4, block.handover?.index ?? 0, true);
  for (let i = 0; i < tokens.length; i++) view.setUint32(headBytes + 4 * i, tokens[i], true);
  view.setUint32(headerCrcAt, crc32(slot.subarray(0, offset)), true);
}

/** The header at the start of `slot`, checked against itself and the slot's size; the payload is the caller's to check. */
export function readStoredBlock(slot: Uint8Array, crc32: Crc32): Result<StoredBlock> {
  if (slot.byteLength < headBytes) return damaged("it is cut");
  const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  if (view.getUint32(0, true) !== magic) return damaged("it does not begin as one");
  if (view.getUint16(4, true) !== version) return damaged("it is of another version");
  if (view.getUint8(6) !== crc32Code) return damaged("its checksum is of another kind");
  const count = view.getUint32(36, true);
  const offset = view.getUint32(40, true);
  const payloadBytes = view.getUint32(52, true) * 4294967296 + view.getUint32(48, true);
  if (count === 0 || count > mostBlockTokens || offset !== payloadOffset(count)) {
    return damaged("its sizes are wrong");
  }
  if (offset + payloadBytes > slot.byteLength) return damaged("it is longer than its slot");
  const head = slot.slice(0, offset);
  const headView = new DataView(head.buffer);
  const crc = headView.getUint32(headerCrcAt, true);
  headView.setUint32(headerCrcAt, 0, true);
  if (crc32(head) !== crc) return damaged("the checksum of its header is wrong");
  const bits = view.getUint8(7);
  const tokens = new Uint32Array(count);
  for (let i = 0; i < count; i++) tokens[i] = headView.getUint32(headBytes + 4 * i, true);
  return ok({
    key: { route: hashAt(headView, 8), layout: hashAt(headView, 16) },
    parent: (bits & flags.first) === 0 ? hashAt(headView, 24) : undefined,
    index: headView.getUint32(32, true),
    tokens,
    scope: head.slice(64, 96),
    decoded: (bits & flags.decoded) !== 0,
    payloadBytes,
    payloadCrc: headView.getUint32(56, true),
    ...((bits & flags.handover) === 0 ? undefined : {
      handover: {
        token: headView.getUint32(handoverAt, true),
        index: headView.getUint32(handoverAt + 4, true),
      },
    }),
    ...((bits & flags.end) === 0 ? undefined : { end: true }),
  });
}

function damaged(what: string): Result<never> {
  return fail("decode_error", `Cannot use a stored block: ${what}; it is computed again`);
}

function putHash(view: DataView, at: number, { hi, lo }: Readonly<Hash64>): void {
  view.setUint32(at, lo, true);
  view.setUint32(at + 4, hi, true);
}

function hashAt(view: DataView, at: number): Hash64 {
  return { lo: view.getUint32(at, true), hi: view.getUint32(at + 4, true) };
}
