/**
 * Walks MessagePack bytes without building anything and says what is wrong, or nothing. Every claimed length is
 * checked against the bytes that are there, so a decoder behind it can neither overflow its stack nor allocate for
 * elements that do not exist. Extension types are refused: no message uses one.
 */
export function checkMessagePack(bytes: Uint8Array, maxDepth: number): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const open = new Float64Array(maxDepth + 1);
  let depth = 0;
  let at = 0;
  open[0] = 1;
  while (true) {
    while (open[depth] === 0) {
      if (depth === 0) {
        return at === bytes.length ? undefined : `${bytes.length - at} bytes after the end`;
      }
      depth -= 1;
    }
    open[depth] -= 1;
    if (at >= bytes.length) return "it ends too early";
    const size = sizeAt(view, at);
    if (size === undefined) return `byte ${bytes[at]} at ${at} starts no value`;
    at += size.bytes;
    if (at > bytes.length || size.children > bytes.length - at) return "it ends too early";
    if (size.children > 0) {
      if (depth === maxDepth) return `it is nested deeper than ${maxDepth}`;
      depth += 1;
      open[depth] = size.children;
    }
  }
}

interface Size {
  bytes: number;
  children: number;
}

const fixedBytes: Record<number, number> = {
  0xc0: 1,
  0xc2: 1,
  0xc3: 1,
  0xca: 5,
  0xcb: 9,
  0xcc: 2,
  0xcd: 3,
  0xce: 5,
  0xcf: 9,
  0xd0: 2,
  0xd1: 3,
  0xd2: 5,
  0xd3: 9,
};
const size: Size = { bytes: 0, children: 0 };

function sized(bytes: number, children = 0): Size {
  size.bytes = bytes;
  size.children = children;
  return size;
}

/** The value that starts at `at`: its own bytes (header and payload) and how many values follow inside it. */
function sizeAt(view: DataView, at: number): Size | undefined {
  const tag = view.getUint8(at);
  if (tag <= 0x7f || tag >= 0xe0) return sized(1);
  if (tag <= 0x8f) return sized(1, 2 * (tag & 15));
  if (tag <= 0x9f) return sized(1, tag & 15);
  if (tag <= 0xbf) return sized(1 + (tag & 31));
  const fixed = fixedBytes[tag];
  if (fixed !== undefined) return sized(fixed);
  const left = view.byteLength - at - 1;
  const need = tag === 0xc4 || tag === 0xd9 ? 1 : tag === 0xc5 || tag === 0xda ? 2 : 4;
  const isRun = tag === 0xc4 || tag === 0xc5 || tag === 0xc6 || (tag >= 0xd9 && tag <= 0xdb);
  if (isRun) {
    if (left < need) return sized(left + 2);
    const length = need === 1
      ? view.getUint8(at + 1)
      : need === 2
      ? view.getUint16(at + 1)
      : view.getUint32(at + 1);
    return sized(1 + need + length);
  }
  if (tag < 0xdc) return undefined;
  const wide = tag === 0xdd || tag === 0xdf;
  if (left < (wide ? 4 : 2)) return sized(left + 2);
  const items = wide ? view.getUint32(at + 1) : view.getUint16(at + 1);
  return sized(wide ? 5 : 3, tag >= 0xde ? 2 * items : items);
}
