import type { LoadReport } from "./load.ts";
import { flipStates, roles } from "./role.ts";
import type { RoleFlip } from "./role.ts";

/** How a field's value is read and what it may be; the same as the field's rule in `load.ts`. */
type Kind = "id" | "u16" | "u32" | "count" | "finite" | "bool" | "label" | readonly string[];

interface Field {
  readonly name: string;
  readonly key: Uint8Array;
  readonly kind: Kind;
}

/** Fields of a flat map, in the order in which senders write them mostly. */
class FieldList {
  readonly fields: readonly Field[];
  /** Where a message's first, second, third ... field was found last: the next has the same order, mostly. */
  readonly order: number[];

  constructor(kinds: Readonly<Record<string, Kind>>) {
    const encoder = new TextEncoder();
    this.fields = Object.entries(kinds)
      .map(([name, kind]) => ({ name, key: encoder.encode(name), kind }));
    this.order = this.fields.map((_, i) => i);
  }
}

const reportFields = new FieldList({
  ...{ stepCount: "count", stepAgeMs: "finite", instance: "id", dpRank: "u16", model: "id" },
  ...{ role: roles, draining: "bool", running: "u32", waiting: "u32", maxSeqs: "u32" },
  ...{ prefillTokens: "u32", activeBlocks: "u32", cachedBlocks: "u32", totalBlocks: "u32" },
  ...{ kvEventNumber: "count", activeStreams: "u32", activeDigestHi: "u32", activeDigestLo: "u32" },
  ...{ prefillRate: "finite", decodeRate: "finite" },
});
const flipFields = new FieldList({
  ...{ id: "label", to: roles, state: flipStates, reason: "label" },
});
const flipKey = new TextEncoder().encode("flip");
/** The one field that may be left out: why a change was given up. */
const reasonBit = 1 << 3;
/** Ids that are remembered. */
const mostIds = 4_096;
/** Longest label, in characters; those read here have one byte each. */
const labelBytes = 1024;
const most = { u16: 0xffff, u32: 0xffffffff, count: Number.MAX_SAFE_INTEGER } as const;

/** An id that was read before, and its characters as four words. */
interface KnownId {
  readonly words: readonly [number, number, number, number];
  readonly text: string;
}

/** Reads MessagePack from left to right; what is not as expected is `undefined`, and nothing after it counts. */
class LoadReader {
  #bytes: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  /** Values by the places of their fields. */
  readonly #values: unknown[] = [];
  /** By a mix of their words: the same few hundred come again and again. */
  readonly #ids = new Map<number, KnownId>();

  /** The report in a message's bytes from `at` on; `undefined` where it is not exactly one of the plain kind. */
  read(bytes: Uint8Array, at: number): LoadReport | undefined {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
    const values = this.#values;
    const flip = this.#map(values, reportFields, true);
    if (flip === undefined || this.#at !== bytes.length) return undefined;
    return reportOf(values, flip);
  }

  /** Puts a map's fields into `values`; the change of role among them. Nothing where a field is not what it may be. */
  #map(
    values: unknown[],
    { fields, order }: FieldList,
    hasFlip: boolean,
  ): RoleFlip | "none" | undefined {
    const count = this.#mapSize();
    let flip: RoleFlip | "none" = "none";
    let seen = 0;
    for (let i = 0; i < count; i++) {
      const length = this.#byte() - 0xa0;
      if (!(length > 0 && length < 32)) return undefined;
      const place = this.#field(fields, order, { i, length });
      if (place >= 0) {
        const value = this.#value(fields[place].kind);
        if (value === undefined || (seen & (1 << place)) !== 0) return undefined;
        values[place] = value;
        seen |= 1 << place;
        continue;
      }
      if (!hasFlip || flip !== "none" || !this.#isKey(flipKey, length)) return undefined;
      this.#at += length;
      const read = this.#flip();
      if (read === undefined) return undefined;
      flip = read;
    }
    const missing = ((1 << fields.length) - 1) & ~seen;
    return missing === 0 || (!hasFlip && missing === reasonBit) ? flip : undefined;
  }

  #flip(): RoleFlip | undefined {
    const values: unknown[] = [];
    if (this.#map(values, flipFields, false) === undefined) return undefined;
    const [id, to, state, reason] = values;
    return { id, to, state, ...(reason === undefined ? {} : { reason }) } as RoleFlip;
  }

  /** Which field's name comes, and passes over it; -1 for none, and stays. */
  #field(
    fields: readonly Field[],
    order: number[],
    { i, length }: { readonly i: number; readonly length: number },
  ): number {
    const usual = i < order.length ? order[i] : 0;
    let place = usual;
    if (!this.#isKey(fields[usual].key, length)) {
      place = fields.findIndex(({ key }) => this.#isKey(key, length));
      if (place < 0) return place;
      if (i < order.length) order[i] = place;
    }
    this.#at += length;
    return place;
  }

  #isKey(key: Uint8Array, length: number): boolean {
    if (key.length !== length) return false;
    for (let i = 0; i < length; i++) if (key[i] !== this.#bytes[this.#at + i]) return false;
    return true;
  }

  #mapSize(): number {
    const tag = this.#byte();
    if (tag >= 0x80 && tag <= 0x8f) return tag - 0x80;
    if (tag !== 0xde || this.#at + 2 > this.#bytes.length) return 0;
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }

  #value(kind: Kind): unknown {
    if (kind === "bool") {
      const tag = this.#byte();
      return tag === 0xc3 ? true : tag === 0xc2 ? false : undefined;
    }
    if (kind === "finite") {
      const value = this.#number();
      return value !== undefined && Number.isFinite(value) ? value : undefined;
    }
    if (kind === "u16" || kind === "u32" || kind === "count") {
      const value = this.#number();
      const fits = value !== undefined && Number.isInteger(value) && value >= 0 &&
        value <= most[kind];
      return fits ? value : undefined;
    }
    if (kind === "id") return this.#id();
    if (kind === "label") return this.#ascii(labelBytes);
    const text = this.#ascii(32);
    return kind.find((one) => one === text);
  }

  #number(): number | undefined {
    const tag = this.#byte();
    if (tag <= 0x7f) return tag;
    const width = tag === 0xcc ? 1 : tag === 0xcd ? 2 : tag === 0xce ? 4 : tag === 0xcb ? 8 : 0;
    if (width === 0 || this.#at + width > this.#bytes.length) return undefined;
    const at = this.#at;
    this.#at += width;
    if (width === 1) return this.#bytes[at];
    if (width === 2) return this.#view.getUint16(at);
    return width === 4 ? this.#view.getUint32(at) : this.#view.getFloat64(at);
  }

  /** 16 hex digits. */
  #id(): string | undefined {
    if (this.#byte() !== 0xb0 || this.#at + 16 > this.#bytes.length) return undefined;
    const at = this.#at;
    const [a, b] = [this.#view.getUint32(at), this.#view.getUint32(at + 4)];
    const [c, d] = [this.#view.getUint32(at + 8), this.#view.getUint32(at + 12)];
    this.#at += 16;
    const key = (Math.imul(a, 3) ^ Math.imul(b, 5) ^ Math.imul(c, 7) ^ d) | 0;
    const known = this.#ids.get(key);
    if (known !== undefined) {
      const { words } = known;
      if (words[0] === a && words[1] === b && words[2] === c && words[3] === d) return known.text;
    }
    let text = "";
    for (let i = at; i < at + 16; i++) {
      const code = this.#bytes[i];
      if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return undefined;
      text += String.fromCharCode(code);
    }
    if (this.#ids.size >= mostIds) this.#ids.clear();
    this.#ids.set(key, { words: [a, b, c, d], text });
    return text;
  }

  /** A text whose characters have one byte each. */
  #ascii(mostBytes: number): string | undefined {
    const tag = this.#byte();
    let length = tag >= 0xa0 && tag <= 0xbf ? tag - 0xa0 : -1;
    if (tag === 0xd9) length = this.#byte();
    if (tag === 0xda && this.#at + 2 <= this.#bytes.length) {
      length = this.#view.getUint16(this.#at);
      this.#at += 2;
    }
    if (!(length >= 0 && length <= mostBytes) || this.#at + length > this.#bytes.length) {
      return undefined;
    }
    let text = "";
    for (const end = this.#at + length; this.#at < end; this.#at++) {
      const code = this.#bytes[this.#at];
      if (code > 0x7f) return undefined;
      text += String.fromCharCode(code);
    }
    return text;
  }

  /** The next byte; past the end none that starts a value. */
  #byte(): number {
    return this.#at < this.#bytes.length ? this.#bytes[this.#at++] : 0xc1;
  }
}

/** A report of the values in the order of `reportFields`; one literal, since all have one shape. */
function reportOf(values: readonly unknown[], flip: RoleFlip | "none"): LoadReport {
  const report: Record<Exclude<keyof LoadReport, "flip">, unknown> = {
    stepCount: values[0],
    stepAgeMs: values[1],
    instance: values[2],
    dpRank: values[3],
    model: values[4],
    role: values[5],
    draining: values[6],
    running: values[7],
    waiting: values[8],
    maxSeqs: values[9],
    prefillTokens: values[10],
    activeBlocks: values[11],
    cachedBlocks: values[12],
    totalBlocks: values[13],
    kvEventNumber: values[14],
    activeStreams: values[15],
    activeDigestHi: values[16],
    activeDigestLo: values[17],
    prefillRate: values[18],
    decodeRate: values[19],
  };
  return (flip === "none" ? report : { ...report, flip }) as LoadReport;
}

const reader = new LoadReader();

/**
 * The report in a message's MessagePack from byte `at` on, where it is of the plain kind that workers send: `undefined`
 * else, which says nothing about why, nor that it is wrong. One walk over the bytes, at a fifth of the cost of reading a
 * map of anything and checking it; every router, planner and frontend reads every rank's report four times a second.
 */
export function readLoadReport(bytes: Uint8Array, at: number): LoadReport | undefined {
  return reader.read(bytes, at);
}
