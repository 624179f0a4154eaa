import { decode, encode } from "./codec.ts";
import type { EntryExtra } from "./generate.ts";
import { binaryKinds, checkHeader, writeHeader } from "./header.ts";
import { hexOfBytes, putHex } from "./ids.ts";
import type { InstanceId } from "./ids.ts";
import { limits } from "./limits.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";

/**
 * worker -> frontend, published on `inbox.<frontend>`: one message per engine step with all of that frontend's streams.
 * Layout, little-endian: `u8 version, u8 kind, u16 entries, u8[8] worker, u32 step`, then per entry
 * `u32 tag, u32 firstIndex, u16 tokens, u8 flags, u8 0, u32 extraBytes, tokens x u32, extra`.
 * `firstIndex` is the output index of the entry's first token (or of the next one, where it has none), so a gap shows.
 */
export interface StepEntry {
  /** The frontend's number of the stream. */
  tag: number;
  firstIndex: number;
  /** Output token ids. Plain numbers: of a few, a typed array is mostly what describes it. */
  tokens: readonly number[];
  /** Set on frame 0 only: the worker took the request. */
  accepted: boolean;
  /** Logprobs, cached counts, the end; absent on the plain path. */
  extra: EntryExtra | undefined;
}

/** A decoded step frame. */
export interface StepFrame {
  readonly worker: InstanceId;
  /** Engine step number, modulo 2^32. */
  readonly step: number;
  readonly entries: readonly StepEntry[];
}

const headBytes = 16;
const entryBytes = 16;
const acceptedFlag = 1;
/** Most output tokens one entry may carry. */
export const maxEntryTokens: number = 0xffff;

/** Builds step frames in one reused buffer: begin, add entries, finish; the result is valid until the next begin. */
export class StepFrameWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #entries = 0;

  /** Starts a frame of `worker`'s step `step`. */
  begin(worker: InstanceId, step: number): void {
    this.#at = headBytes;
    this.#entries = 0;
    writeHeader(this.#view, binaryKinds.stepFrame);
    putHex(this.#bytes, 4, worker);
    this.#view.setUint32(12, step >>> 0, true);
  }

  /** Entries added since begin. */
  get entries(): number {
    return this.#entries;
  }

  /** Adds one stream's tokens; false where the message would be over its limit: publish, begin anew, add again. */
  add(
    entry: Omit<StepEntry, "tokens" | "accepted"> & {
      tokens: ArrayLike<number>;
      accepted?: boolean;
    },
  ): boolean {
    const extra = entry.extra === undefined ? undefined : encode("entryExtra", entry.extra);
    const need = entryBytes + 4 * entry.tokens.length + (extra?.byteLength ?? 0);
    const full = this.#entries > 0 && this.#at + need > limits.messageBytes;
    if (full || this.#entries === limits.frameStreams) return false;
    this.#reserve(need);
    const view = this.#view;
    view.setUint32(this.#at, entry.tag, true);
    view.setUint32(this.#at + 4, entry.firstIndex, true);
    view.setUint16(this.#at + 8, entry.tokens.length, true);
    view.setUint8(this.#at + 10, entry.accepted === true ? acceptedFlag : 0);
    view.setUint8(this.#at + 11, 0);
    view.setUint32(this.#at + 12, extra?.byteLength ?? 0, true);
    this.#at += entryBytes;
    for (let i = 0; i < entry.tokens.length; i++, this.#at += 4) {
      view.setUint32(this.#at, entry.tokens[i], true);
    }
    if (extra !== undefined) {
      this.#bytes.set(extra, this.#at);
      this.#at += extra.byteLength;
    }
    this.#entries += 1;
    return true;
  }

  /** The frame's bytes, a view into the reused buffer. */
  finish(): Uint8Array {
    this.#view.setUint16(2, this.#entries, true);
    return this.#bytes.subarray(0, this.#at);
  }

  #reserve(need: number): void {
    if (this.#at + need <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + need));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** The step frame in `bytes`, or `decode_error`. */
export function decodeStepFrame(bytes: Uint8Array): Result<StepFrame> {
  const header = checkHeader(bytes, binaryKinds.stepFrame, headBytes);
  if (!header.ok) return header;
  const view = header.value;
  const count = view.getUint16(2, true);
  const entries: StepEntry[] = [];
  let at = headBytes;
  for (let n = 0; n < count; n++) {
    if (at + entryBytes > bytes.length) {
      return fail("decode_error", "Cannot decode step frame: it is cut");
    }
    const tokenCount = view.getUint16(at + 8, true);
    const flags = view.getUint8(at + 10);
    const extraBytes = view.getUint32(at + 12, true);
    const tokens: number[] = [];
    const entry: StepEntry = {
      tag: view.getUint32(at, true),
      firstIndex: view.getUint32(at + 4, true),
      tokens,
      accepted: (flags & acceptedFlag) !== 0,
      extra: undefined,
    };
    at += entryBytes;
    if (flags > acceptedFlag || at + 4 * tokenCount + extraBytes > bytes.length) {
      return fail("decode_error", "Cannot decode step frame: an entry is longer than the message");
    }
    for (let i = 0; i < tokenCount; i++, at += 4) tokens.push(view.getUint32(at, true));
    if (extraBytes > 0) {
      const extra = decode("entryExtra", bytes.subarray(at, at + extraBytes));
      if (!extra.ok) return extra;
      entry.extra = extra.value;
      at += extraBytes;
    }
    entries.push(entry);
  }
  if (at !== bytes.length) {
    return fail("decode_error", "Cannot decode step frame: bytes after its end");
  }
  return ok({
    worker: hexOfBytes(bytes, 4, 12) as InstanceId,
    step: view.getUint32(12, true),
    entries,
  });
}
