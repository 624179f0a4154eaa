/** One cache in a context's state. */
export interface StatePart {
  readonly layers: number;
  /** K and V of one token in these layers, in bytes. */
  readonly kvBytesPerToken: number;
}

/** What a context's state of a run of tokens looks like, as `llama_state_seq_get_data` writes it. */
export interface StateShape extends StatePart {
  /** ggml's number of the type of K and V; f16 if left out. */
  readonly rowType?: number;
  /** Layers that see a window only: a cache of their own behind that of the others, with all tokens too (`swa_full`). */
  readonly sliding?: StatePart;
}

const magic = 0xaf143cd8;
/** Magic and sequence id. */
const headBytes = 8;
/** Per cache: streams, cells; then per cell position, sequences, sequence. */
const partHeadBytes = 8;
const cellBytes = 12;
/** Behind the cells: transposition, layers; per layer and per K and V: type, row bytes. */
const tableBytes = 8;
const rowHeadBytes = 12;
/** ggml's number of f16. */
const f16 = 1;
/** More layers are no model's. */
const mostLayers = 65_536;

function partBytes(tokens: number, { layers, kvBytesPerToken }: StatePart): number {
  const rows = 2 * layers * rowHeadBytes + tokens * kvBytesPerToken;
  return partHeadBytes + tokens * cellBytes + tableBytes + rows;
}

/** Bytes of the state of `tokens` tokens. */
export function stateBytes(tokens: number, shape: StateShape): number {
  const sliding = shape.sliding === undefined ? 0 : partBytes(tokens, shape.sliding);
  return headBytes + partBytes(tokens, shape) + sliding;
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
  const rowType = shape.rowType ?? f16;
  const first = partProblem(view, headBytes, { part: shape, rowType, start, tokens });
  if (first !== undefined || shape.sliding === undefined) return first;
  const at = headBytes + partBytes(tokens, shape);
  return partProblem(view, at, { part: shape.sliding, rowType, start, tokens });
}

interface ExpectedPart {
  readonly part: StatePart;
  readonly rowType: number;
  readonly start: number;
  readonly tokens: number;
}

function partProblem(view: DataView, at: number, expected: ExpectedPart): string | undefined {
  const { part, rowType, start, tokens } = expected;
  if (view.getUint32(at, true) !== 1) return "has several streams";
  if (view.getUint32(at + 4, true) !== tokens) return "has another number of cells";
  const end = at + partBytes(tokens, part);
  // Cells come in the order of the cache, which need not be that of the positions.
  const seen = new Set<number>();
  for (let i = 0, cell = at + partHeadBytes; i < tokens; i++, cell += cellBytes) {
    const position = view.getInt32(cell, true);
    if (position < start || position >= start + tokens) return "has another block's positions";
    if (view.getUint32(cell + 4, true) !== 1) return "has a cell of several sequences";
    seen.add(position);
  }
  if (seen.size !== tokens) return "has a position twice";
  const table = at + partHeadBytes + tokens * cellBytes;
  if (view.getUint32(table, true) !== 0) return "has transposed values";
  if (view.getUint32(table + 4, true) !== part.layers) return "has another number of layers";
  const { layers } = part;
  return rowsProblem(view, { at: table + tableBytes, end }, { layers, rowType, tokens });
}

/** K of every layer, then V of every layer, each with its type and the bytes of a row before it. */
function rowsProblem(
  view: DataView,
  { at, end }: { readonly at: number; readonly end: number },
  { layers, rowType, tokens }: {
    readonly layers: number;
    readonly rowType: number;
    readonly tokens: number;
  },
): string | undefined {
  let next = at;
  for (let i = 0; i < 2 * layers; i++) {
    if (next + rowHeadBytes > end) return "ends too early";
    if (view.getInt32(next, true) !== rowType) return "has rows of another type";
    if (view.getUint32(next + 8, true) !== 0) return "has rows of a wild size";
    next += rowHeadBytes + tokens * view.getUint32(next + 4, true);
  }
  return next === end ? undefined : "has rows of other sizes";
}

/**
 * The shape that the state of exactly one token has, of a context with two caches (sliding windows) or one; undefined
 * where it is laid out in a way that is not known here: then blocks must not be cut from it.
 */
export function shapeOfOneToken(bytes: Uint8Array): StateShape | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = partOfOneToken(view, headBytes);
  if (first === undefined) return undefined;
  const { layers, kvBytesPerToken, rowType } = first;
  const shape = { layers, kvBytesPerToken, rowType };
  const second = first.end === bytes.length ? undefined : partOfOneToken(view, first.end);
  if (second !== undefined && second.rowType !== rowType) return undefined;
  const whole: StateShape = second === undefined ? shape : {
    ...shape,
    sliding: { layers: second.layers, kvBytesPerToken: second.kvBytesPerToken },
  };
  return stateProblem(bytes, { shape: whole, start: 0, tokens: 1 }) === undefined
    ? whole
    : undefined;
}

function partOfOneToken(
  view: DataView,
  at: number,
): StatePart & { readonly rowType: number; readonly end: number } | undefined {
  const table = at + partHeadBytes + cellBytes;
  if (table + tableBytes + rowHeadBytes > view.byteLength) return undefined;
  const layers = view.getUint32(table + 4, true);
  if (layers < 1 || layers > mostLayers) return undefined;
  const rowType = view.getInt32(table + tableBytes, true);
  let next = table + tableBytes;
  let kvBytesPerToken = 0;
  for (let i = 0; i < 2 * layers; i++) {
    if (next + rowHeadBytes > view.byteLength) return undefined;
    const rowBytes = view.getUint32(next + 4, true);
    kvBytesPerToken += rowBytes;
    next += rowHeadBytes + rowBytes;
  }
  return { layers, kvBytesPerToken, rowType, end: next };
}
