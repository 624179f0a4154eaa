/** What a compiled template computes with. Numbers are whole; `undefined` is Jinja's undefined, `null` its none. */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly TemplateValue[]
  | TemplateFields;

/** Values by name: a mapping, a `namespace()`, `loop`, or a function that is only asked whether it is there. */
export interface TemplateFields {
  /** `mapping` values are true where they have entries; the rest is always true. */
  readonly kind: "mapping" | "namespace" | "loop" | "function";
  get(name: string): TemplateValue;
  has(name: string): boolean;
}

/** Everything a compiled template knows while it runs, by slot. */
export type TemplateFrame = TemplateValue[];

/** Thrown where the compiled form does not know what to do: the interpreter renders, or says what is wrong. */
export class NotCompiled extends Error {}

const notCompiled = new NotCompiled("left to the interpreter");

/** Leaves the render to the interpreter. */
export function leave(): never {
  // One error for all: its stack is of no use, and making one is most of the cost.
  throw notCompiled;
}

/** A message as templates see it. */
export class MessageFields implements TemplateFields {
  readonly kind = "mapping";
  readonly #fields: Readonly<Record<string, string | undefined>>;

  constructor(fields: Readonly<Record<string, string | undefined>>) {
    this.#fields = fields;
  }

  get(name: string): TemplateValue {
    return this.has(name) ? this.#fields[name] : undefined;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name) && this.#fields[name] !== undefined;
  }
}

/** Jinja's `namespace()`: what inner scopes may write. */
export class NamespaceFields extends Map<string, TemplateValue> implements TemplateFields {
  readonly kind = "namespace";
}

/** Jinja's `loop` at one turn. */
export class LoopFields implements TemplateFields {
  readonly kind = "loop";
  readonly #items: readonly TemplateValue[];
  readonly #at: number;

  constructor(items: readonly TemplateValue[], at: number) {
    this.#items = items;
    this.#at = at;
  }

  get(name: string): TemplateValue {
    const at = this.#at;
    const { length } = this.#items;
    switch (name) {
      case "index":
        return at + 1;
      case "index0":
        return at;
      case "revindex":
        return length - at;
      case "revindex0":
        return length - at - 1;
      case "first":
        return at === 0;
      case "last":
        return at === length - 1;
      case "length":
        return length;
      case "previtem":
        return at > 0 ? this.#items[at - 1] : undefined;
      case "nextitem":
        return this.#items[at + 1];
      default:
        return leave();
    }
  }

  has(): boolean {
    return leave();
  }
}

/** A function that a template may ask for: it is defined, and more is the interpreter's. */
export const functionFields: TemplateFields = { kind: "function", get: leave, has: leave };

/** True for a list. */
export function isList(value: TemplateValue): value is readonly TemplateValue[] {
  return Array.isArray(value);
}

/** True for values by name. */
export function isFields(value: TemplateValue): value is TemplateFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Python's truth: empty texts and lists are false. */
export function isTrue(value: TemplateValue): boolean {
  return isList(value) ? value.length > 0 : Boolean(value);
}

/** What `{{ value }}` prints: nothing for none and undefined. */
export function printed(value: TemplateValue): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? leave() : String(value);
}
