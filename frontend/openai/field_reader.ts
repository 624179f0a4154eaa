import { fail } from "@pixii/wire";
import type { ErrorCode, Failure } from "@pixii/wire";
import { closestWord } from "@pixii/runtime";

/** A field broke its rule; `failure` is what the client is told. */
export class FieldError extends Error {
  readonly failure: Failure;

  constructor(code: ErrorCode, message: string, param?: string) {
    super(message);
    this.failure = fail(code, message, { param }).error;
  }
}

/** Longest field name that is repeated to the client, in characters. */
const longestName = 80;

/** What a value looks like in an error message: its kind, and itself where it is short and no text. */
export function shown(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return value.length <= 40 ? `'${value}'` : "a long string";
  return String(value);
}

/** Bounds of a number. */
export interface NumberRule {
  readonly min?: number;
  readonly max?: number;
  /** The value must be above `min`, not at it. */
  readonly above?: boolean;
  readonly integer?: boolean;
}

/** Reads typed fields of a JSON object; null counts as absent. Throws `FieldError`. */
export class FieldReader {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #prefix: string;

  constructor(object: Readonly<Record<string, unknown>>, prefix = "") {
    this.#object = object;
    this.#prefix = prefix;
  }

  /** The client's spelling of a field, cut where it is absurd. */
  path(name: string): string {
    const shownName = name.length <= longestName ? name : `${name.slice(0, longestName)}...`;
    return this.#prefix === "" ? shownName : `${this.#prefix}.${shownName}`;
  }

  /** The raw value; `undefined` where it is absent or null. */
  raw(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? this.#object[name] ?? undefined : undefined;
  }

  /** True where the field is there with any value. */
  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  /** Refuses the field. */
  refuse(name: string, rule: string, code: ErrorCode = "invalid_request"): never {
    throw new FieldError(code, `Invalid '${this.path(name)}': ${rule}`, this.path(name));
  }

  /** A number within bounds. */
  number(name: string, rule: NumberRule = {}): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const { min = -Infinity, max = Infinity, above = false, integer = false } = rule;
    const kind = integer ? "an integer" : "a number";
    const isRight = typeof value === "number" && Number.isFinite(value) &&
      (!integer || Number.isInteger(value));
    if (!isRight) this.refuse(name, `must be ${kind}, got ${shown(value)}`);
    if (value < min || value > max || (above && value === min)) {
      const low = above ? `above ${min}` : `at least ${min}`;
      const bounds = max === Infinity ? low : `${low} and at most ${max}`;
      this.refuse(name, `must be ${kind} ${bounds}, got ${value}`);
    }
    // -0 is 0: further on it would travel as a fraction.
    return value === 0 ? 0 : value;
  }

  /** True or false. */
  flag(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== "boolean") {
      this.refuse(name, `must be true or false, got ${shown(value)}`);
    }
    return value;
  }

  /** A text. */
  text(name: string): string | undefined {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== "string") {
      this.refuse(name, `must be a string, got ${shown(value)}`);
    }
    return value;
  }

  /** One of some words. */
  word<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const found = words.find((word) => word === value);
    return found ?? this.refuse(name, `must be one of ${words.join(", ")}, got ${shown(value)}`);
  }

  /** An object. */
  object(name: string): FieldReader | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) {
      this.refuse(name, `must be an object, got ${shown(value)}`);
    }
    return new FieldReader(value as Record<string, unknown>, this.path(name));
  }

  /** Own field names. */
  names(): string[] {
    return Object.keys(this.#object);
  }

  /** Refuses every field that is not in `known`, with the closest known name; null values are refused too. */
  refuseUnknown(known: ReadonlySet<string>): void {
    for (const name of this.names()) {
      if (known.has(name)) continue;
      const close = closestWord(name, [...known]);
      const hint = close === undefined ? "" : `; did you mean '${this.path(close)}'?`;
      throw new FieldError(
        "unknown_parameter",
        `Unknown parameter: '${this.path(name)}'${hint}`,
        this.path(name),
      );
    }
  }

  /** Refuses fields that exist elsewhere and are not built here yet. */
  refuseUnbuilt(names: Readonly<Record<string, string>>): void {
    for (const name of this.names()) {
      if (!Object.hasOwn(names, name) || !this.has(name)) continue;
      throw new FieldError(
        "unsupported_parameter",
        `Unsupported parameter: '${this.path(name)}': ${names[name]} not built yet; leave it out`,
        this.path(name),
      );
    }
  }
}
