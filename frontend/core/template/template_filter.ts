import { isFields, isList, leave } from "./template_value.ts";
import type { TemplateValue } from "./template_value.ts";

/** What a filter or a method makes of a value and its arguments. */
export type TemplateFunction = (
  value: TemplateValue,
  args: readonly TemplateValue[],
) => TemplateValue;

/** A filter or method of texts that takes no arguments. */
function ofText(make: (text: string) => TemplateValue): TemplateFunction {
  return (value, args) => typeof value === "string" && args.length === 0 ? make(value) : leave();
}

/** Halves of characters: texts are cut by UTF-16 unit here. */
const surrogates = /[\ud800-\udfff]/;

/** Python's `strip` and its halves: white space, or the characters that are named. */
function stripping(ends: { readonly left: boolean; readonly right: boolean }): TemplateFunction {
  return (value, args) => {
    const [only] = args;
    if (typeof value !== "string" || args.length > 1) return leave();
    if (args.length === 1 && !(typeof only === "string" && !surrogates.test(only))) return leave();
    if (typeof only !== "string") {
      const cut = ends.left ? value.trimStart() : value;
      return ends.right ? cut.trimEnd() : cut;
    }
    let [from, to] = [0, value.length];
    while (ends.left && from < to && only.includes(value[from])) from += 1;
    while (ends.right && from < to && only.includes(value[to - 1])) to -= 1;
    return value.slice(from, to);
  };
}

/** A method of texts that takes one text. */
function withText(make: (text: string, other: string) => TemplateValue): TemplateFunction {
  return (value, args) => {
    const [other] = args;
    return typeof value === "string" && typeof other === "string" && args.length === 1
      ? make(value, other)
      : leave();
  };
}

function lengthOf(value: TemplateValue, args: readonly TemplateValue[]): TemplateValue {
  return (typeof value === "string" || isList(value)) && args.length === 0 ? value.length : leave();
}

/** An item of a list; what an empty list has is the interpreter's to say. */
function itemAt(at: number): TemplateFunction {
  return (value, args) =>
    isList(value) && value.length > 0 && args.length === 0 ? value.at(at) : leave();
}

/** Filters without arguments, by name. */
export const templateFilters: ReadonlyMap<string, TemplateFunction> = new Map([
  ["trim", ofText((text) => text.trim())],
  ["upper", ofText((text) => text.toUpperCase())],
  ["lower", ofText((text) => text.toLowerCase())],
  ["string", ofText((text) => text)],
  ["tojson", ofText((text) => JSON.stringify(text))],
  ["length", lengthOf],
  ["first", itemAt(0)],
  ["last", itemAt(-1)],
  ["list", (value, args) => isList(value) && args.length === 0 ? value : leave()],
]);

/** Filters that are called, by name. */
export const calledFilters: ReadonlyMap<string, TemplateFunction> = new Map([
  ["default", (value, args) => {
    if (args.length !== 1) return leave();
    return value === undefined ? args[0] : value;
  }],
]);

/** Methods by name, of texts unless they say otherwise. */
export const templateMethods: ReadonlyMap<string, TemplateFunction> = new Map([
  ["strip", stripping({ left: true, right: true })],
  ["lstrip", stripping({ left: true, right: false })],
  ["rstrip", stripping({ left: false, right: true })],
  ["upper", ofText((text) => text.toUpperCase())],
  ["lower", ofText((text) => text.toLowerCase())],
  ["startswith", withText((text, other) => text.startsWith(other))],
  ["endswith", withText((text, other) => text.endsWith(other))],
  ["split", withText((text, other) => other === "" ? leave() : text.split(other))],
  ["get", (value, args) => {
    const [name] = args;
    const isNamed = isFields(value) && value.kind === "mapping" && typeof name === "string";
    if (!isNamed || args.length > 2) return leave();
    return value.has(name) ? value.get(name) : args.length === 2 ? args[1] : null;
  }],
]);

/** Tests by name. */
export const templateTests: ReadonlyMap<string, (value: TemplateValue) => boolean> = new Map([
  ["defined", (value) => value !== undefined],
  ["undefined", (value) => value === undefined],
  ["none", (value) => value === null],
  ["string", (value) => typeof value === "string"],
  ["number", (value) => typeof value === "number"],
  ["integer", (value) => typeof value === "number"],
  ["boolean", (value) => typeof value === "boolean"],
  ["true", (value) => value === true],
  ["false", (value) => value === false],
  ["iterable", (value) => typeof value === "string" || isList(value)],
  ["mapping", (value) => isFields(value) && (value.kind === "mapping" || value.kind === "loop")],
  [
    "sequence",
    (value) =>
      typeof value === "string" || isList(value) ||
      isFields(value) && (value.kind === "mapping" || value.kind === "loop"),
  ],
]);
