import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";

/** A metadata value of a GGUF file. Arrays of numbers and of text come as plain arrays. */
export type GgufValue = number | boolean | string | readonly (number | boolean | string)[];

/** One tensor as the header describes it. */
export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** ggml type number (0 f32, 1 f16, 3 q4_1 ...). */
  readonly type: number;
  /** From the start of the data region, bytes. */
  readonly offset: number;
}

/** Header, metadata and tensor infos of a GGUF file; never its weights. */
export interface Gguf {
  readonly version: number;
  readonly fileBytes: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

/** Largest header read: vocabularies of 256 k tokens take about 20 MB. */
const mostHeaderBytes = 256 * 1024 * 1024;
const chunkBytes = 4 * 1024 * 1024;
/** Most metadata values, tensors and elements of one list: far over any model, far under what would fill the memory. */
const mostValues = 65_536;
const mostTensors = 65_536;
const mostElements = 4 * 1024 * 1024;

/** Bytes and elements of one ggml block, by type number: enough to know where the data must end. */
const blockSizes: Readonly<Record<number, readonly [bytes: number, elements: number]>> = {
  0: [4, 1],
  1: [2, 1],
  2: [18, 32],
  3: [20, 32],
  6: [22, 32],
  7: [24, 32],
  8: [34, 32],
  9: [36, 32],
  10: [84, 256],
  11: [110, 256],
  12: [144, 256],
  13: [176, 256],
  14: [210, 256],
  15: [292, 256],
  24: [1, 1],
  25: [2, 1],
  26: [4, 1],
  27: [8, 1],
  28: [8, 1],
  30: [2, 1],
};

/** The header does not fit the bytes read so far, or claims more than the file has. */
class OutOfBytes extends Error {}
/** The header breaks the format. */
class Malformed extends Error {}

class Cursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileBytes: number;
  readonly #decoder = new TextDecoder();
  at = 0;

  constructor(bytes: Uint8Array, fileBytes: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fileBytes = fileBytes;
  }

  take(size: number): number {
    const at = this.at;
    if (size > this.#fileBytes - at) throw new Malformed("it ends inside its header");
    if (at + size > this.#bytes.length) throw new OutOfBytes();
    this.at += size;
    return at;
  }

  /** Refuses a count over `most`, and one whose elements, at `least` bytes each, cannot be in the file. */
  count(least: number, most = Infinity): number {
    const value = this.u64();
    if (value > most) throw new Malformed(`it claims ${value} elements, at most ${most} are read`);
    if (value * least > this.#fileBytes - this.at) {
      throw new Malformed(
        `it claims ${value} elements where ${this.#fileBytes - this.at} bytes are left`,
      );
    }
    return value;
  }

  u32(): number {
    return this.#view.getUint32(this.take(4), true);
  }

  u64(): number {
    const value = this.#view.getBigUint64(this.take(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new Malformed(`it holds the number ${value}`);
    }
    return Number(value);
  }

  text(): string {
    const size = this.count(1);
    const at = this.take(size);
    return this.#decoder.decode(this.#bytes.subarray(at, at + size));
  }

  scalar(type: number): number | boolean | string {
    const view = this.#view;
    switch (type) {
      case 0:
        return view.getUint8(this.take(1));
      case 1:
        return view.getInt8(this.take(1));
      case 2:
        return view.getUint16(this.take(2), true);
      case 3:
        return view.getInt16(this.take(2), true);
      case 4:
        return this.u32();
      case 5:
        return view.getInt32(this.take(4), true);
      case 6:
        return view.getFloat32(this.take(4), true);
      case 7:
        return view.getUint8(this.take(1)) !== 0;
      case 8:
        return this.text();
      case 10:
        return Number(view.getBigUint64(this.take(8), true));
      case 11:
        return Number(view.getBigInt64(this.take(8), true));
      case 12:
        return view.getFloat64(this.take(8), true);
      default:
        throw new Malformed(`it uses the unknown value type ${type}`);
    }
  }

  value(): GgufValue {
    const type = this.u32();
    if (type !== 9) return this.scalar(type);
    const element = this.u32();
    const length = this.count(element === 8 ? 8 : 1, mostElements);
    const values: (number | boolean | string)[] = [];
    for (let i = 0; i < length; i++) values.push(this.scalar(element));
    return values;
  }
}

function parseHeader(bytes: Uint8Array, fileBytes: number): Gguf {
  const cursor = new Cursor(bytes, fileBytes);
  if (cursor.u32() !== 0x46554747) throw new Malformed("it does not begin with GGUF");
  const version = cursor.u32();
  if (version !== 2 && version !== 3) {
    throw new Malformed(`it is GGUF version ${version}; 2 and 3 are known`);
  }
  const tensorCount = cursor.count(24, mostTensors);
  const valueCount = cursor.count(13, mostValues);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < valueCount; i++) metadata.set(cursor.text(), cursor.value());
  const tensors: GgufTensor[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = cursor.text();
    const dimensions = cursor.u32();
    if (dimensions > 8) throw new Malformed(`tensor ${name} has ${dimensions} dimensions`);
    const shape = Array.from({ length: dimensions }, () => cursor.u64());
    tensors.push({ name, shape, type: cursor.u32(), offset: cursor.u64() });
  }
  const alignment = Number(metadata.get("general.alignment") ?? 32);
  if (!(alignment > 0)) throw new Malformed(`its alignment is ${alignment}`);
  const dataStart = Math.ceil(cursor.at / alignment) * alignment;
  for (const tensor of tensors) {
    const block = blockSizes[tensor.type];
    const elements = tensor.shape.reduce((product, size) => product * size, 1);
    const size = block === undefined ? 0 : elements / block[1] * block[0];
    if (dataStart + tensor.offset + size > fileBytes) {
      throw new Malformed(`it ends inside its weights (tensor ${tensor.name})`);
    }
  }
  return { version, fileBytes, metadata, tensors };
}

/** Reads the header of a GGUF file. A damaged or cut file gives `invalid_request` with a sentence that says what to do. */
export async function readGguf(path: string): Promise<Result<Gguf>> {
  const bad = (why: string) =>
    fail(
      "invalid_request",
      `Cannot load ${path}: ${why}; download the model again or name a GGUF file`,
    );
  try {
    using file = await Deno.open(path, { read: true });
    const stat = await file.stat();
    if (!stat.isFile) return bad("it is not a file");
    const bytes = new Uint8Array(Math.min(stat.size, mostHeaderBytes));
    let filled = 0;
    let wanted = chunkBytes;
    while (true) {
      while (filled < Math.min(wanted, bytes.length)) {
        const read = await file.read(bytes.subarray(filled, Math.min(wanted, bytes.length)));
        if (read === null) return bad("it became shorter while it was read");
        filled += read;
      }
      try {
        return ok(parseHeader(bytes.subarray(0, filled), stat.size));
      } catch (error) {
        if (error instanceof Malformed) return bad(error.message);
        if (!(error instanceof OutOfBytes)) throw error;
        if (filled >= bytes.length) return bad("its header is longer than 256 MiB");
        wanted *= 2;
      }
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return fail("not_found", `Cannot load ${path}: there is no such file`);
    }
    return bad((error as Error).message);
  }
}

/** A text value of the metadata. */
export function ggufText(gguf: Gguf, key: string): string | undefined {
  const value = gguf.metadata.get(key);
  return typeof value === "string" ? value : undefined;
}

/** A number of the metadata. */
export function ggufNumber(gguf: Gguf, key: string): number | undefined {
  const value = gguf.metadata.get(key);
  return typeof value === "number" ? value : undefined;
}

/** A list of the metadata; empty where it is absent. */
export function ggufList<Item extends string | number>(gguf: Gguf, key: string): readonly Item[] {
  const value = gguf.metadata.get(key);
  return Array.isArray(value) ? value as Item[] : [];
}
