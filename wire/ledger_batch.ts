import { decode } from "./codec.ts";
import { binaryKinds, checkHeader, writeHeader } from "./header.ts";
import { hexOfBytes, putHex } from "./ids.ts";
import type { InstanceId, ModelHash, RequestId } from "./ids.ts";
import type { LedgerBatch, LedgerEntry } from "./ledger.ts";
import { limits } from "./limits.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";

/*
 * Layout, little-endian: `u8 version, u8 kind, u16 entries, u8[8] from`, then per entry 28 bytes
 * `u8 op, u8 flags, u16 attempt, u16 leg, u16 textBytes, u8[16] request, u32 number`, for a book 36 more
 * `u8[8] model, u8[8] worker, u8[8] frontend, u16 dpRank, u16 0, u32 prefillTokens, u32 blocks`, then the text (UTF-8).
 * `number` is sessionTtlMs, cachedTokens or outputTokens (flag 1: there), the text session or reason (flag 2: there).
 */
const headBytes = 12;
const entryBytes = 28;
const bookBytes = 36;
const numberFlag = 1;
const textFlag = 2;
const ops = ["book", "first-token", "complete"] as const satisfies readonly LedgerEntry["op"][];
/** Longest session and reason, in bytes of UTF-8. */
const longestText = { book: 4096, "first-token": 0, complete: 256 } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** What of an entry the layout holds as its number and its text. */
function optionalsOf(entry: LedgerEntry): { readonly number?: number; readonly text?: string } {
  switch (entry.op) {
    case "book":
      return { number: entry.sessionTtlMs, text: entry.session };
    case "first-token":
      return { number: entry.cachedTokens };
    case "complete":
      return { number: entry.outputTokens, text: entry.reason };
  }
}

/** Bytes of a batch, at most 256 entries: three entries a request go to every router. */
export function encodeLedgerBatch({ from, entries }: LedgerBatch): Uint8Array {
  const texts: (Uint8Array | undefined)[] = [];
  let size = headBytes;
  for (const entry of entries) {
    const { text } = optionalsOf(entry);
    const bytes = text === undefined ? undefined : encoder.encode(text);
    texts.push(bytes);
    size += entryBytes + (entry.op === "book" ? bookBytes : 0) + (bytes?.length ?? 0);
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  writeHeader(view, binaryKinds.ledgerBatch);
  view.setUint16(2, entries.length, true);
  putHex(bytes, 4, from);
  let at = headBytes;
  entries.forEach((entry, i) => at = writeEntry(view, at, entry, texts[i]));
  return bytes;
}

function writeEntry(view: DataView, start: number, entry: LedgerEntry, text?: Uint8Array): number {
  const bytes = new Uint8Array(view.buffer);
  const { number } = optionalsOf(entry);
  const flags = (number === undefined ? 0 : numberFlag) | (text === undefined ? 0 : textFlag);
  view.setUint8(start, ops.indexOf(entry.op));
  view.setUint8(start + 1, flags);
  view.setUint16(start + 2, entry.attempt, true);
  view.setUint16(start + 4, entry.leg, true);
  view.setUint16(start + 6, text?.length ?? 0, true);
  putHex(bytes, start + 8, entry.requestId);
  view.setUint32(start + 24, number ?? 0, true);
  let at = start + entryBytes;
  if (entry.op === "book") {
    putHex(bytes, at, entry.model);
    putHex(bytes, at + 8, entry.worker.instance);
    putHex(bytes, at + 16, entry.frontend);
    view.setUint16(at + 24, entry.worker.dpRank, true);
    view.setUint32(at + 28, entry.prefillTokens, true);
    view.setUint32(at + 32, entry.blocks, true);
    at += bookBytes;
  }
  if (text !== undefined) bytes.set(text, at);
  return at + (text?.length ?? 0);
}

/** The batch in `bytes`, in this layout or as MessagePack; `decode_error` with what is wrong. Never throws. */
export function decodeLedgerBatch(bytes: Uint8Array): Result<LedgerBatch> {
  if (bytes[1] !== binaryKinds.ledgerBatch) return decode("ledgerBatch", bytes);
  const header = checkHeader(bytes, binaryKinds.ledgerBatch, headBytes, 2 * limits.messageBytes);
  if (!header.ok) return header;
  const view = header.value;
  const count = view.getUint16(2, true);
  if (count > limits.ledgerEntries) return wrong(`${count} entries, at most 256`);
  const entries: LedgerEntry[] = [];
  let at = headBytes;
  for (let n = 0; n < count; n++) {
    if (at + entryBytes > bytes.length) return wrong("it is cut");
    const op = ops[view.getUint8(at)];
    if (op === undefined) return wrong(`entry ${n} is unknown`);
    const textBytes = view.getUint16(at + 6, true);
    const end = at + entryBytes + (op === "book" ? bookBytes : 0) + textBytes;
    if (textBytes > longestText[op] || end > bytes.length) return wrong(`entry ${n} is too long`);
    const entry = readEntry(bytes, view, { at, op, textAt: end - textBytes, end });
    if (entry === undefined) return wrong(`entry ${n} has a text that is not UTF-8`);
    entries.push(entry);
    at = end;
  }
  if (at !== bytes.length) return wrong("bytes after its end");
  return ok({ from: hexOfBytes(bytes, 4, 12) as InstanceId, entries });
}

function readEntry(
  bytes: Uint8Array,
  view: DataView,
  place: {
    readonly at: number;
    readonly op: LedgerEntry["op"];
    readonly textAt: number;
    readonly end: number;
  },
): LedgerEntry | undefined {
  const { at, op, textAt, end } = place;
  const flags = view.getUint8(at + 1);
  const key = {
    requestId: hexOfBytes(bytes, at + 8, at + 24) as RequestId,
    attempt: view.getUint16(at + 2, true),
    leg: view.getUint16(at + 4, true),
  };
  const number = (flags & numberFlag) === 0 ? undefined : view.getUint32(at + 24, true);
  if (op === "first-token") return { op, ...key, cachedTokens: number };
  let text: string | undefined;
  if ((flags & textFlag) !== 0) {
    try {
      text = decoder.decode(bytes.subarray(textAt, end));
    } catch {
      // Not UTF-8: said by the caller.
      return undefined;
    }
  }
  if (op === "complete") return { op, ...key, outputTokens: number, reason: text };
  const book = at + entryBytes;
  const id = (from: number) => hexOfBytes(bytes, from, from + 8);
  return {
    ...{ op, ...key, model: id(book) as ModelHash },
    worker: { instance: id(book + 8) as InstanceId, dpRank: view.getUint16(book + 24, true) },
    frontend: id(book + 16) as InstanceId,
    prefillTokens: view.getUint32(book + 28, true),
    blocks: view.getUint32(book + 32, true),
    ...{ session: text, sessionTtlMs: number },
  };
}

function wrong(what: string) {
  return fail("decode_error", `Cannot decode ledgerBatch: ${what}`);
}
