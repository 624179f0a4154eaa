import type { Crc32 } from "@pixii/wire";

/** Bytes of a record, and of the head before the first. */
export const recordBytes = 64;

const headMagic = 0x58494b50; // "PKIX"
const version = 1;
const kinds = { put: 0x31505844, drop: 0x32505844 } as const;
const crcAt = 60;

/** A block on disk: where it lies, which it is and what it follows. Pages count through all segments. */
export interface DiskEntry {
  readonly page: number;
  readonly slotPages: number;
  /** Tokens of a block of its layout. */
  readonly blockSize: number;
  readonly layoutHi: number;
  readonly layoutLo: number;
  readonly hi: number;
  readonly lo: number;
  readonly parentHi: number;
  readonly parentLo: number;
  readonly index: number;
}

/** One line of the index: a block is there, or what began at a page is not any more. */
export type IndexRecord =
  | { readonly op: "put"; readonly entry: DiskEntry }
  | { readonly op: "drop"; readonly page: number };

/**
 * The head of an index file: `u32 magic, u32 version, u32 segment pages, zeros, u32 crc` at 60; little-endian. The crc
 * (CRC-32) covers the 60 bytes before it, as in every record.
 */
export function encodeIndexHead(segmentPages: number, crc32: Crc32): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(recordBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, headMagic, true);
  view.setUint32(4, version, true);
  view.setUint32(8, segmentPages, true);
  view.setUint32(crcAt, crc32(bytes.subarray(0, crcAt)), true);
  return bytes;
}

/** Pages of a segment as the head of an index says; `undefined` where it is none, damaged or of another version. */
export function readIndexHead(bytes: Uint8Array, crc32: Crc32): number | undefined {
  if (bytes.byteLength < recordBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, recordBytes);
  const isWhole = view.getUint32(0, true) === headMagic && view.getUint32(4, true) === version &&
    view.getUint32(crcAt, true) === crc32(bytes.subarray(0, crcAt));
  return isWhole ? view.getUint32(8, true) : undefined;
}

/**
 * Records as bytes, 64 each: `u32 kind, u32 page, u32 slot pages, u32 block size, u32[2] layout lo hi, u32[2] route,
 * u32[2] parent, u32 index, zeros, u32 crc` at 60; of a drop only kind, page and crc.
 */
export function encodeRecords(
  records: readonly IndexRecord[],
  crc32: Crc32,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(records.length * recordBytes);
  const view = new DataView(bytes.buffer);
  records.forEach((record, i) => {
    const at = i * recordBytes;
    const words = record.op === "put" ? putWords(record.entry) : [kinds.drop, record.page];
    words.forEach((word, w) => view.setUint32(at + 4 * w, word, true));
    view.setUint32(at + crcAt, crc32(bytes.subarray(at, at + crcAt)), true);
  });
  return bytes;
}

function putWords(entry: DiskEntry): number[] {
  return [
    ...[kinds.put, entry.page, entry.slotPages, entry.blockSize, entry.layoutLo, entry.layoutHi],
    ...[entry.lo, entry.hi, entry.parentLo, entry.parentHi, entry.index],
  ];
}

/** The record at an offset; `undefined` where it is cut or damaged. */
export function readRecord(
  bytes: Uint8Array,
  at: number,
  crc32: Crc32,
): IndexRecord | undefined {
  if (at + recordBytes > bytes.byteLength) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, recordBytes);
  if (view.getUint32(crcAt, true) !== crc32(bytes.subarray(at, at + crcAt))) return undefined;
  const kind = view.getUint32(0, true);
  const word = (w: number) => view.getUint32(4 * w, true);
  if (kind === kinds.drop) return { op: "drop", page: word(1) };
  if (kind !== kinds.put) return undefined;
  return {
    op: "put",
    entry: {
      ...{ page: word(1), slotPages: word(2), blockSize: word(3) },
      ...{ layoutLo: word(4), layoutHi: word(5), lo: word(6), hi: word(7) },
      ...{ parentLo: word(8), parentHi: word(9), index: word(10) },
    },
  };
}
