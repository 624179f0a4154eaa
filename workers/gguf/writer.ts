import { joinBytes } from "@pixii/wire";
import type { GgufValue } from "./reader.ts";

/** A metadata value with its GGUF type spelled out. */
export type GgufEntry =
  | readonly ["u32" | "f32" | "bool" | "text", GgufValue]
  | readonly ["texts", readonly string[]]
  | readonly ["f32s" | "i32s", readonly number[]];

/** A tensor to write: f32 values, stored as f32 or f16. `shape[0]` is the fastest dimension, as ggml has it. */
export interface GgufTensorData {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: "f32" | "f16";
  readonly values: Float32Array;
}

const typeCodes = { u32: 4, f32: 6, bool: 7, text: 8, texts: 8, f32s: 6, i32s: 5 } as const;
const alignment = 32;

class Sink {
  readonly parts: Uint8Array[] = [];
  size = 0;

  raw(bytes: Uint8Array): void {
    this.parts.push(bytes);
    this.size += bytes.length;
  }

  number(bytes: number, write: (view: DataView) => void): void {
    const part = new Uint8Array(bytes);
    write(new DataView(part.buffer));
    this.raw(part);
  }

  u32(value: number): void {
    this.number(4, (view) => view.setUint32(0, value, true));
  }

  u64(value: number): void {
    this.number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u64(bytes.length);
    this.raw(bytes);
  }

  scalar(type: keyof typeof typeCodes, value: unknown): void {
    if (type === "text" || type === "texts") this.text(value as string);
    else if (type === "bool") this.raw(new Uint8Array([value ? 1 : 0]));
    else if (type === "f32" || type === "f32s") {
      this.number(4, (view) => view.setFloat32(0, value as number, true));
    } else if (type === "i32s") this.number(4, (view) => view.setInt32(0, value as number, true));
    else this.u32(value as number);
  }

  pad(): void {
    this.raw(new Uint8Array((alignment - this.size % alignment) % alignment));
  }
}

function dataOf(tensor: GgufTensorData): Uint8Array {
  if (tensor.type === "f32") return new Uint8Array(tensor.values.slice().buffer);
  const halves = new Uint8Array(tensor.values.length * 2);
  const view = new DataView(halves.buffer);
  tensor.values.forEach((value, i) => view.setUint16(2 * i, halfOf(value), true));
  return halves;
}

/** IEEE half precision of a float, rounded to nearest even; small values flush to zero. */
function halfOf(value: number): number {
  const cell = new DataView(new ArrayBuffer(4));
  cell.setFloat32(0, value);
  const bits = cell.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  if (exponent <= 0) return sign;
  if (exponent >= 31) return sign | 0x7c00;
  const mantissa = bits & 0x7fffff;
  const half = sign | (exponent << 10) | (mantissa >>> 13);
  const rest = mantissa & 0x1fff;
  return rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? half + 1 : half;
}

/** Bytes of a GGUF v3 file. */
export function writeGguf(
  metadata: Readonly<Record<string, GgufEntry>>,
  tensors: readonly GgufTensorData[],
): Uint8Array {
  const sink = new Sink();
  sink.u32(0x46554747);
  sink.u32(3);
  sink.u64(tensors.length);
  sink.u64(Object.keys(metadata).length);
  for (const [key, [type, value]] of Object.entries(metadata)) {
    sink.text(key);
    if (Array.isArray(value)) {
      sink.u32(9);
      sink.u32(typeCodes[type]);
      sink.u64(value.length);
      for (const one of value) sink.scalar(type, one);
    } else {
      sink.u32(typeCodes[type]);
      sink.scalar(type, value);
    }
  }
  const data = tensors.map(dataOf);
  let offset = 0;
  tensors.forEach((tensor, i) => {
    sink.text(tensor.name);
    sink.u32(tensor.shape.length);
    for (const size of tensor.shape) sink.u64(size);
    sink.u32(tensor.type === "f32" ? 0 : 1);
    sink.u64(offset);
    offset += Math.ceil(data[i].length / alignment) * alignment;
  });
  sink.pad();
  for (const part of data) {
    sink.raw(part);
    sink.pad();
  }
  return joinBytes(sink.parts);
}
