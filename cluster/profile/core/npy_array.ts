import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";

/** An array of NumPy: its numbers row by row. */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/** Most numbers of an array that is read. */
const mostValues = 1_000_000;

type Reader = (view: DataView, at: number) => number;

/** Bytes of a number and how it is read, by NumPy's name; all little-endian. */
const kinds: Readonly<Record<string, readonly [number, Reader]>> = {
  "<f8": [8, (view, at) => view.getFloat64(at, true)],
  "<f4": [4, (view, at) => view.getFloat32(at, true)],
  "<i8": [8, (view, at) => view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)],
  "<u8": [8, (view, at) => view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)],
  "<i4": [4, (view, at) => view.getInt32(at, true)],
  "<u4": [4, (view, at) => view.getUint32(at, true)],
  "<i2": [2, (view, at) => view.getInt16(at, true)],
  "<u2": [2, (view, at) => view.getUint16(at, true)],
  "|i1": [1, (view, at) => view.getInt8(at)],
  "|u1": [1, (view, at) => view.getUint8(at)],
};

/**
 * Reads a `.npy` file (NumPy's format, versions 1 to 3) of whole or floating numbers in row order. Fails in one sentence
 * on anything else.
 */
export function readNpy(bytes: Uint8Array): Result<NpyArray> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || bytes[0] !== 0x93 || latin1(bytes.subarray(1, 6)) !== "NUMPY") {
    return refuse("it does not begin as one");
  }
  const isFirst = bytes[6] === 1;
  const head = isFirst ? 10 : 12;
  const headBytes = isFirst ? view.getUint16(8, true) : view.getUint32(8, true);
  const from = head + headBytes;
  if (bytes[6] > 3 || from > bytes.length) {
    return refuse("its header is cut off or of a later version");
  }
  const header = latin1(bytes.subarray(head, from));
  const kind = /'descr'\s*:\s*'([^']+)'/.exec(header)?.[1] ?? "?";
  const sizes = /'shape'\s*:\s*\(([^)]*)\)/.exec(header)?.[1];
  if (sizes === undefined) return refuse("its header names no shape");
  const shape = sizes.split(",").map((one) => one.trim()).filter((one) => one !== "").map(Number);
  if (/'fortran_order'\s*:\s*True/.test(header) && shape.length > 1) {
    return refuse("it is stored column by column");
  }
  const count = shape.reduce((product, size) => product * size, 1);
  const known = kinds[kind];
  if (known === undefined) return refuse(`numbers of kind ${kind} are not read`);
  const [size, read] = known;
  if (!shape.every((one) => /^\d+$/.test(String(one))) || count > mostValues) {
    return refuse(`its shape is (${sizes})`);
  }
  if (from + count * size > bytes.length) return refuse("numbers are missing at its end");
  return ok({
    shape,
    values: Float64Array.from({ length: count }, (_, i) => read(view, from + i * size)),
  });
}

function refuse(why: string): Result<never> {
  return fail("invalid_request", `This is no array of NumPy that can be read: ${why}`);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
