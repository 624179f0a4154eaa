/** The u32 LE values in `bytes`, whose length is a multiple of 4; a copy, aligned. */
export function u32sOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from(
    { length: bytes.byteLength / 4 },
    (_, i) => view.getUint32(4 * i, true),
  );
}

/** The bytes of u32 values, LE. */
export function bytesOfU32s(values: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value, true));
  return bytes;
}
