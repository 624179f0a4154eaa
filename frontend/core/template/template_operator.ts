import { isFields, isList, leave } from "./template_value.ts";
import type { TemplateValue } from "./template_value.ts";

/** What an operator makes of two values that are both computed. */
export type TemplateOperator = (left: TemplateValue, right: TemplateValue) => TemplateValue;

/** Two whole numbers, or nothing this can do. */
function numbers(compute: (left: number, right: number) => number | boolean): TemplateOperator {
  return (left, right) =>
    typeof left === "number" && typeof right === "number" ? compute(left, right) : leave();
}

function plus(left: TemplateValue, right: TemplateValue): TemplateValue {
  if (typeof left === "string" && typeof right === "string") return left + right;
  if (typeof left === "number" && typeof right === "number") return left + right;
  if (isList(left) && isList(right)) return [...left, ...right];
  return isPlain(left) && isPlain(right) && (typeof left === "string" || typeof right === "string")
    ? String(left) + String(right)
    : leave();
}

/** Text, number or truth: neither absent nor made of parts. */
function isPlain(value: TemplateValue): value is string | number | boolean {
  return value !== null && value !== undefined && typeof value !== "object";
}

function isEqual(left: TemplateValue, right: TemplateValue): boolean {
  const isOdd = typeof left === "object" && left !== null ||
    typeof right === "object" && right !== null;
  if (isOdd) return leave();
  // As the interpreter compares: none is undefined, 1 is true and "1".
  return left == right;
}

function isIn(left: TemplateValue, right: TemplateValue): boolean {
  if (right === undefined) return false;
  if (left === undefined || left === null) return leave();
  if (typeof right === "string") return typeof left === "string" ? right.includes(left) : leave();
  if (isList(right)) return typeof left === "object" ? leave() : right.includes(left);
  const isNamed = typeof left === "string" && isFields(right) && right.kind === "mapping";
  return isNamed ? right.has(left) : leave();
}

/** Operators whose both sides are computed; `and` and `or` are not among them. */
export const templateOperators: ReadonlyMap<string, TemplateOperator> = new Map([
  ["+", plus],
  ["-", numbers((left, right) => left - right)],
  ["*", numbers((left, right) => left * right)],
  ["//", numbers((left, right) => Math.floor(left / right))],
  ["%", numbers((left, right) => left % right)],
  ["<", numbers((left, right) => left < right)],
  ["<=", numbers((left, right) => left <= right)],
  [">", numbers((left, right) => left > right)],
  [">=", numbers((left, right) => left >= right)],
  ["~", (left, right) => isPlain(left) && isPlain(right) ? `${left}${right}` : leave()],
  ["==", isEqual],
  ["!=", (left, right) => !isEqual(left, right)],
  ["in", isIn],
  ["not in", (left, right) => !isIn(left, right)],
]);
