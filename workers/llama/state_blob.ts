/** What a context's state of a run of tokens looks like, as `llama_state_seq_get_data` writes it for plain attention. */
export interface StateShape {
  readonly layers: number;
  /** K and V of one token in all layers, in bytes. */
  readonly kvBytesPerToken: number;
}

const magic = 0xaf143cd8;
/** Magic, sequence id, streams, cells; then per cell position, sequences, sequence. */
const headBytes = 16;
const cellBytes = 12;
/** Behind the cells: transposition, layers; per layer and per K and V: type, row bytes. */
const tableBytes = 8;
const rowHeadBytes = 12;
/** ggml's number of f16. */
const f16 = 1;

/** Bytes of the state of `tokens` tokens. */
export function stateBytes(tokens: number, { layers, kvBytesPerToken }: StateShape): number {
  const rows = 2 * layers * rowHeadBytes + tokens * kvBytesPerToken;
  return headBytes + tokens * cellBytes + tableBytes + rows;
}

/**
 * Why these bytes are not the state of positions [start, start + tokens) of this shape, or nothing. llama.cpp believes
 * what it reads: a wild count takes all memory, a wrong size ends the process. The rows' content is not looked at.
 */
export function stateProblem(
  bytes: Uint8Array,
  expected: { readonly shape: StateShape; readonly start: number; readonly tokens: number },
): string | undefined {
  const { shape, start, tokens } = expected;
  if (bytes.byteLength !== stateBytes(tokens, shape)) return "is of another size";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) return "does not begin as one";
  if (view.getUint32(8, true) !== 1) return "has several streams";
  if (view.getUint32(12, true) !== tokens) return "has another number of cells";
  // Cells come in the order of the cache, which need not be that of the positions.
  const seen = new Set<number>();
  for (let i = 0, at = headBytes; i < tokens; i++, at += cellBytes) {
    const position = view.getInt32(at, true);
    if (position < start || position >= start + tokens) return "has another block's positions";
    if (view.getUint32(at + 4, true) !== 1) return "has a cell of several sequences";
    seen.add(position);
  }
  if (seen.size !== tokens) return "has a position twice";
  const table = headBytes + tokens * cellBytes;
  if (view.getUint32(table, true) !== 0) return "has transposed values";
  if (view.getUint32(table + 4, true) !== shape.layers) return "has another number of layers";
  return rowsProblem(view, table + tableBytes, { layers: shape.layers, tokens });
}

/** K of every layer, then V of every layer, each with its type and the bytes of a row before it. */
function rowsProblem(
  view: DataView,
  start: number,
  { layers, tokens }: { readonly layers: number; readonly tokens: number },
): string | undefined {
  let at = start;
  for (let i = 0; i < 2 * layers; i++) {
    if (at + rowHeadBytes > view.byteLength) return "ends too early";
    if (view.getInt32(at, true) !== f16) return "has rows of another type";
    if (view.getUint32(at + 8, true) !== 0) return "has rows of a wild size";
    at += rowHeadBytes + tokens * view.getUint32(at + 4, true);
  }
  return at === view.byteLength ? undefined : "has rows of other sizes";
}
