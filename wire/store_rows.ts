import { binaryKinds, checkHeader, writeHeader } from "./header.ts";
import { limits } from "./limits.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";

/**
 * What a worker and its kvbm say to each other after the greeting, in batches: per operation the words of one row.
 * Slots are numbered from 1; 0 means that there is none. Offsets are in the pages of the welcome.
 */
export const storeOps = {
  /** worker: which of these blocks are there? Row: route lo, hi. `arg` = lease: those found are pinned under it. */
  find: { code: 1, width: 2 },
  /** kvbm: row per block asked: slot (0 = not there), page (of slot 0: `comingPage` where word of it follows). */
  found: { code: 2, width: 2 },
  /** worker: `arg` = slots wanted. No rows. */
  reserve: { code: 3, width: 0 },
  /** kvbm: row per slot given, as many as there is room for: slot, page. */
  reserved: { code: 4, width: 2 },
  /**
   * worker: these slots are written. Row: slot, route lo, hi, parent lo, hi, index (0 = no parent; with `endMark` set it is a
   * prompt's end: it is kept within a bound of their own, and no router hears of it).
   */
  commit: { code: 5, width: 6 },
  /** kvbm: row per commit: slot that holds the block now (0 = refused), 1 where it was there before (yours is free). */
  committed: { code: 6, width: 2 },
  /** worker: these leases are over. Row: lease. No answer. */
  release: { code: 7, width: 1 },
  /** worker: these reserved slots are not needed. Row: slot. No answer. */
  giveUp: { code: 8, width: 1 },
  /** worker: these pinned blocks are damaged: nobody must get them. Row: slot. No answer. */
  damaged: { code: 9, width: 1 },
  /** kvbm, unasked: these blocks have left the pool. Row: slot. */
  gone: { code: 10, width: 1 },
  /**
   * worker: as `find`, but what is not there is answered as coming, whoever will bring it: it lands once somebody has
   * committed it. Row: route lo, hi. `arg` = lease; answered with `found`.
   */
  await: { code: 11, width: 2 },
  /** kvbm, unasked: what was coming is there and pinned under its lease. Row: lease, position in the question, slot, page. */
  landed: { code: 12, width: 4 },
  /** kvbm, unasked: what was coming does not come. Row: lease, position in the question. */
  lost: { code: 13, width: 2 },
  /**
   * worker: as `commit`, of a block for those who await its key and nobody else: no router hears of it, it goes to no tier
   * below, and it leaves with the last lease that holds it; at once, answered 0, where nobody awaits it.
   */
  commitPrivate: { code: 14, width: 6 },
  /**
   * worker, right before the `find` or `await` of a lease (`arg`): this block manager of another host is said to have its
   * blocks, or will. A row: kvbm instance lo, hi. Before a `find` two more: first place of the question that is asked of it,
   * and the one after the last; milliseconds that computing those would take, 0 = not known, and 0. No answer.
   */
  from: { code: 15, width: 2 },
  /** worker: as `find`; the last row is the key of the prompt's end, which is no block of a prompt. Answered with `found`. */
  findEnd: { code: 16, width: 2 },
} as const;

/**
 * Page of slot 0 in `found`: the block is not in the pool yet but is being brought under this lease, or awaited; `landed`
 * or `lost` follows unless the lease is released first.
 */
export const comingPage = 1;

/** Kinds of the frames that carry the conversation: what wants an answer, the answer under the same id, what wants none. */
export const storeFrames = { ask: 1, answer: 2, tell: 3 } as const;

/** An operation of the conversation. */
export type StoreOp = keyof typeof storeOps;

/** One message of the conversation. */
export interface StoreRows {
  readonly op: StoreOp;
  readonly arg: number;
  /** Rows one after the other, `storeOps[op].width` words each. */
  readonly words: Uint32Array;
}

const headBytes = 12;
const opByCode: ReadonlyMap<number, StoreOp> = new Map(
  Object.entries(storeOps).map(([op, { code }]) => [code, op as StoreOp]),
);
/** Most rows of one message: they fit the message limit. */
export const mostStoreRows = 16_384;

/** Bytes of a message: `u8 version, u8 kind, u8 op, u8 0, u32 arg, u32 words`, then the words; little-endian. */
export function encodeStoreRows(message: StoreRows): Uint8Array {
  const { op, arg, words } = message;
  const { code, width } = storeOps[op];
  if (words.length > width * mostStoreRows || (width > 0 && words.length % width !== 0)) {
    throw new RangeError(`Cannot encode ${op}: ${words.length} words in rows of ${width}`);
  }
  const bytes = new Uint8Array(headBytes + 4 * words.length);
  const view = new DataView(bytes.buffer);
  writeHeader(view, binaryKinds.storeRows);
  view.setUint8(2, code);
  view.setUint32(4, arg, true);
  view.setUint32(8, words.length, true);
  for (let i = 0; i < words.length; i++) view.setUint32(headBytes + 4 * i, words[i], true);
  return bytes;
}

/** The message in `bytes`, or `decode_error`. */
export function decodeStoreRows(bytes: Uint8Array): Result<StoreRows> {
  const header = checkHeader(bytes, binaryKinds.storeRows, headBytes, limits.messageBytes);
  if (!header.ok) return header;
  const view = header.value;
  const op = opByCode.get(view.getUint8(2));
  const count = view.getUint32(8, true);
  if (bytes.byteLength !== headBytes + 4 * count) return wrong("it is cut or too long");
  if (op === undefined) return wrong("its operation is unknown");
  const { width } = storeOps[op];
  const isWhole = width === 0 ? count === 0 : Number.isInteger(count / width);
  if (!isWhole || count > width * mostStoreRows) return wrong(`${op} has rows of ${width} words`);
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i++) words[i] = view.getUint32(headBytes + 4 * i, true);
  return ok({ op, arg: view.getUint32(4, true), words });
}

function wrong(what: string): Result<never> {
  return fail("decode_error", `Cannot decode store rows: ${what}`);
}
