import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";

/** Deepest nesting of a body. */
export const mostNesting = 64;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** What one pass over a JSON text tells before it is parsed. */
interface Scan {
  readonly isTooDeep: boolean;
  /** A key that one object holds twice. */
  readonly twice: string | undefined;
}

/**
 * The JSON object in `bytes`, or `invalid_json`: bad UTF-8, bad JSON, no object, nested too deep, a key twice in one
 * object (two readers would see two requests), or half a surrogate pair (no text any tokenizer knows). O(bytes), and
 * nothing recursive before the depth is known.
 */
export function readJsonObject(bytes: Uint8Array): Result<Record<string, unknown>> {
  if (bytes.length === 0) return invalid("The body is empty; send a JSON object");
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    // The decoder says nothing about the place.
    return invalid("The body is not valid UTF-8; send UTF-8");
  }
  const { isTooDeep, twice } = scan(text);
  if (isTooDeep) return invalid(`The body is nested deeper than ${mostNesting} levels; flatten it`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return invalid(`The body is not valid JSON: ${(error as Error).message.slice(0, 160)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return invalid("The body must be a JSON object");
  }
  if (twice !== undefined) {
    const shown = twice.slice(0, 80);
    return invalid(`The body holds '${shown}' twice in one object; send it once`, shown);
  }
  if (/\\u[dD][89a-fA-F]/.test(text) && !isWellFormed(value)) {
    return invalid("The body holds half a surrogate pair; send whole characters");
  }
  return ok(value as Record<string, unknown>);
}

function invalid(message: string, param?: string) {
  return fail("invalid_json", message, { param });
}

/** Looks at brackets and keys; what it tells of text that is not JSON means nothing. */
function scan(text: string): Scan {
  /** Per open bracket: the keys so far of an object, nothing for an array. */
  const open: (Set<string> | undefined)[] = [];
  let twice: string | undefined;
  let isKeyNext = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) {
      const end = endOfString(text, i + 1);
      if (isKeyNext && twice === undefined) twice = added(open.at(-1), text.slice(i + 1, end));
      isKeyNext = false;
      i = end;
    } else if (code === 0x7b || code === 0x5b) {
      if (open.length === mostNesting) return { isTooDeep: true, twice };
      open.push(code === 0x7b ? new Set() : undefined);
      isKeyNext = code === 0x7b;
    } else if (code === 0x7d || code === 0x5d) {
      open.pop();
      isKeyNext = false;
    } else if (code === comma) isKeyNext = open.at(-1) !== undefined;
  }
  return { isTooDeep: false, twice };
}

/** Adds a key as it is written; the key itself where the object has it already. */
function added(keys: Set<string> | undefined, written: string): string | undefined {
  if (keys === undefined) return undefined;
  const key = written.includes("\\") ? unescaped(written) : written;
  if (keys.has(key)) return key;
  keys.add(key);
  return undefined;
}

function unescaped(written: string): string {
  try {
    return JSON.parse(`"${written}"`);
  } catch {
    // Not JSON: the parser will say so.
    return written;
  }
}

/** Where the string that starts at `from` has its closing quote; the text's length where it has none. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (at - slashes > from && text.charCodeAt(at - slashes - 1) === backslash) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

/** True where every string inside is whole; the depth is bounded by then. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, one]) => key.isWellFormed() && isWellFormed(one));
}
