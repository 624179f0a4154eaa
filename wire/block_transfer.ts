import { binaryKinds, checkHeader, writeHeader } from "./header.ts";
import { limits } from "./limits.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";
import type { Crc32 } from "./stored_block.ts";

/**
 * What two block managers say to each other over a connection of their own, which is for blocks of one layout. The asker
 * greets, is welcomed or refused, proves that it knows the secret, and then asks. Blocks are answered in pieces, in any
 * order; the place of a block is that in its question. Rows are u32 words.
 */
export const transferOps = {
  /** asker: a `TransferHello`. */
  hello: { code: 1, width: 0 },
  /** giver: a `TransferWelcome`. */
  welcome: { code: 2, width: 0 },
  /** giver, then it ends the connection: why, a sentence. */
  refuse: { code: 3, width: 0 },
  /** asker: 32 bytes, the proof. */
  proof: { code: 4, width: 0 },
  /** asker: these blocks are wanted. Row: route lo, hi. `id` names the question. */
  pull: { code: 5, width: 2 },
  /** asker: tell when these blocks are there. Row: route lo, hi. What is there is kept until `release` of the id. */
  await: { code: 6, width: 2 },
  /** giver: blocks of an `await` that are there now, to be pulled. Row: place. */
  there: { code: 7, width: 1 },
  /** giver: blocks of a `pull`; behind the message their bytes follow, back to back. Row: place, bytes. */
  blocks: { code: 8, width: 2 },
  /** giver: blocks of a `pull` or an `await` that do not come. Row: place. */
  gone: { code: 9, width: 1 },
  /** asker: an `await` is over. */
  release: { code: 10, width: 0 },
} as const;

/** An operation of the conversation. */
export type TransferOp = keyof typeof transferOps;

/** One message: its head, and a body of rows or of bytes. */
export interface TransferMessage {
  readonly op: TransferOp;
  readonly id: number;
  readonly body: Uint8Array;
}

/** Version of the conversation: another one is refused. */
export const transferVersion = 1;
/** Bytes of a message before its body. */
export const transferHeadBytes = 16;
/** Most rows of a message. */
export const mostTransferRows = 1_024;
/** Longest body. */
export const mostTransferBytes = 8 * mostTransferRows;
/** Bytes of a nonce. */
export const nonceBytes = 16;
/** Bytes of a proof. */
export const proofBytes = 32;

const opByCode: ReadonlyMap<number, TransferOp> = new Map(
  Object.entries(transferOps).map(([op, { code }]) => [code, op as TransferOp]),
);
const crcAt = 12;

/**
 * Bytes of a message: `u8 version, u8 kind, u8 op, u8 0, u32 id, u32 bytes of the body, u32 crc32`, then the body;
 * little-endian. The crc covers head and body with itself as 0, not the bytes of blocks: those carry their own.
 */
export function encodeTransfer(message: TransferMessage, crc32: Crc32): Uint8Array<ArrayBuffer> {
  const { op, id, body } = message;
  if (body.byteLength > mostTransferBytes) {
    throw new RangeError(`Cannot encode ${op}: ${body.byteLength} bytes`);
  }
  const bytes = new Uint8Array(transferHeadBytes + body.byteLength);
  const view = new DataView(bytes.buffer);
  writeHeader(view, binaryKinds.blockTransfer);
  view.setUint8(2, transferOps[op].code);
  view.setUint32(4, id, true);
  view.setUint32(8, body.byteLength, true);
  bytes.set(body, transferHeadBytes);
  view.setUint32(crcAt, crc32(bytes), true);
  return bytes;
}

/** Bytes of the whole message whose head begins `bytes`, or `decode_error`: then nothing behind it can be trusted. */
export function transferLength(bytes: Uint8Array): Result<number> {
  const header = checkHeader(
    bytes,
    binaryKinds.blockTransfer,
    transferHeadBytes,
    limits.messageBytes,
  );
  if (!header.ok) return header;
  const length = header.value.getUint32(8, true);
  if (length > mostTransferBytes) return wrong(`its body has ${length} bytes`);
  return ok(transferHeadBytes + length);
}

/** The message in `bytes`, or `decode_error`. The body is a view of them. */
export function decodeTransfer(bytes: Uint8Array, crc32: Crc32): Result<TransferMessage> {
  const length = transferLength(bytes);
  if (!length.ok) return length;
  if (bytes.byteLength !== length.value) return wrong("it is cut or too long");
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(crcAt, 0, true);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (crc32(copy) !== view.getUint32(crcAt, true)) return wrong("its checksum is wrong");
  const op = opByCode.get(bytes[2]);
  if (op === undefined) return wrong("its operation is unknown");
  const { width } = transferOps[op];
  const body = bytes.subarray(transferHeadBytes);
  if (width > 0 && (body.byteLength === 0 || body.byteLength % (4 * width) !== 0)) {
    return wrong(`${op} has rows of ${width} words`);
  }
  return ok({ op, id: view.getUint32(4, true), body });
}

function wrong(what: string): Result<never> {
  return fail("decode_error", `Cannot decode a message about blocks: ${what}`);
}
