import {
  calledFilters,
  templateFilters,
  templateMethods,
  templateTests,
} from "./template_filter.ts";
import type { NodeOf, TemplateNode } from "./template_node.ts";
import { templateOperators } from "./template_operator.ts";
import type { TemplateScopes } from "./template_scopes.ts";
import { isFields, isList, isTrue, leave, NamespaceFields } from "./template_value.ts";
import type { TemplateFrame, TemplateValue } from "./template_value.ts";

/** A compiled expression. */
export type TemplateExpression = (frame: TemplateFrame) => TemplateValue;

/** A function as templates call it. */
export type TemplateCall = (args: readonly TemplateValue[]) => TemplateValue;

/** Thrown while compiling: the template has something that is not compiled. */
export class Uncompilable extends Error {}

/** Names of a mapping's own functions, which only the interpreter has. */
const mappingFunctions: ReadonlySet<string> = new Set([
  ...["get", "items", "keys", "values", "dictsort"],
]);

/** What compiling an expression needs: the names it may read, and the functions it may call. */
export interface ExpressionGround {
  readonly scopes: TemplateScopes;
  /** Functions by name, over their arguments' values. */
  readonly functions: ReadonlyMap<string, TemplateCall>;
}

/** Compiles an expression; throws `Uncompilable`. Where the compiled form cannot go on it throws `NotCompiled`. */
export function compileExpression(
  node: TemplateNode,
  ground: ExpressionGround,
): TemplateExpression {
  const of = (child: TemplateNode) => compileExpression(child, ground);
  switch (node.type) {
    case "StringLiteral":
    case "IntegerLiteral": {
      const { value } = node;
      return () => value;
    }
    case "ArrayLiteral":
    case "TupleLiteral": {
      const items = node.value.map(of);
      return (frame) => items.map((item) => item(frame));
    }
    case "Identifier":
      return ground.scopes.reader(node.value);
    case "MemberExpression":
      return member(node, ground);
    case "CallExpression":
      return call(node, ground);
    case "BinaryExpression":
      return binary(node, of);
    case "UnaryExpression":
      return unary(node, of);
    case "FilterExpression":
      return filtered(node, of);
    case "TestExpression": {
      const test = templateTests.get(node.test.value);
      if (test === undefined) throw new Uncompilable(`test ${node.test.value}`);
      const operand = of(node.operand);
      const { negate } = node;
      return (frame) => test(operand(frame)) !== negate;
    }
    case "SelectExpression":
    case "Ternary":
      return choice(node, of);
    default:
      throw new Uncompilable(node.type);
  }
}

type Compile = (node: TemplateNode) => TemplateExpression;

function member(node: NodeOf<"MemberExpression">, ground: ExpressionGround): TemplateExpression {
  const object = compileExpression(node.object, ground);
  const { property, computed } = node;
  if (computed && property.type === "SliceExpression") return sliced(object, property, ground);
  if (computed) {
    const key = compileExpression(property, ground);
    return (frame) => {
      const of = object(frame);
      const by = key(frame);
      if (typeof by === "string") return named(of, by);
      const isItem = typeof by === "number" && (isList(of) || typeof of === "string");
      return isItem ? of.at(by) : leave();
    };
  }
  if (property.type !== "Identifier") throw new Uncompilable(property.type);
  const name = property.value;
  return (frame) => named(object(frame), name);
}

/** `value.name`. */
function named(value: TemplateValue, name: string): TemplateValue {
  if (isFields(value)) {
    if (value.kind === "mapping" && mappingFunctions.has(name) && !value.has(name)) return leave();
    return value.get(name);
  }
  // Texts and lists have functions; the rest has nothing.
  return typeof value === "string" || isList(value) ? leave() : undefined;
}

function sliced(
  object: TemplateExpression,
  slice: NodeOf<"SliceExpression">,
  ground: ExpressionGround,
): TemplateExpression {
  if (slice.step !== undefined && slice.step !== null) {
    const { step } = slice;
    const isReversed = !slice.start && !slice.stop && step.type === "IntegerLiteral" &&
      step.value === -1;
    if (!isReversed) throw new Uncompilable("a slice with a step");
    return (frame) => {
      const of = object(frame);
      return isList(of) ? of.toReversed() : leave();
    };
  }
  const [start, stop] = [slice.start, slice.stop].map((end) =>
    end ? compileExpression(end, ground) : undefined
  );
  return (frame) => {
    const of = object(frame);
    const from = start?.(frame);
    const to = stop?.(frame);
    const isWhole = (end: TemplateValue): end is number | undefined =>
      end === undefined || typeof end === "number";
    return isList(of) && isWhole(from) && isWhole(to) ? of.slice(from, to) : leave();
  };
}

function call(node: NodeOf<"CallExpression">, ground: ExpressionGround): TemplateExpression {
  const { callee } = node;
  if (callee.type === "Identifier" && callee.value === "namespace") return namespace(node, ground);
  const args = node.args.map((arg) => compileExpression(arg, ground));
  if (callee.type === "Identifier") {
    const known = ground.functions.get(callee.value);
    if (known === undefined) throw new Uncompilable(`function ${callee.value}`);
    return (frame) => known(args.map((arg) => arg(frame)));
  }
  const isMethod = callee.type === "MemberExpression" && !callee.computed &&
    callee.property.type === "Identifier";
  const method = isMethod && templateMethods.get((callee.property as NodeOf<"Identifier">).value);
  if (!isMethod || !method) throw new Uncompilable("a call");
  const object = compileExpression(callee.object, ground);
  return (frame) => method(object(frame), args.map((arg) => arg(frame)));
}

function namespace(node: NodeOf<"CallExpression">, ground: ExpressionGround): TemplateExpression {
  const fields = node.args.map((arg) => {
    if (arg.type !== "KeywordArgumentExpression") throw new Uncompilable("namespace of a value");
    return { name: arg.key.value, value: compileExpression(arg.value, ground) };
  });
  return (frame) => {
    const made = new NamespaceFields();
    for (const { name, value } of fields) made.set(name, value(frame));
    return made;
  };
}

function binary(
  { operator, ...node }: NodeOf<"BinaryExpression">,
  of: Compile,
): TemplateExpression {
  const left = of(node.left);
  const right = of(node.right);
  if (operator.value === "and" || operator.value === "or") {
    const goesOn = operator.value === "and";
    return (frame) => {
      const value = left(frame);
      return isTrue(value) === goesOn ? right(frame) : value;
    };
  }
  const compute = templateOperators.get(operator.value);
  if (compute === undefined) throw new Uncompilable(`operator ${operator.value}`);
  return (frame) => compute(left(frame), right(frame));
}

function unary({ operator, argument }: NodeOf<"UnaryExpression">, of: Compile): TemplateExpression {
  const value = of(argument);
  if (operator.value === "not") return (frame) => !isTrue(value(frame));
  if (operator.value !== "-") throw new Uncompilable(`operator ${operator.value}`);
  return (frame) => {
    const of = value(frame);
    // -0 is printed as 0 in JavaScript, as in Python.
    return typeof of === "number" ? 0 - of : leave();
  };
}

function filtered(
  { operand, filter }: NodeOf<"FilterExpression">,
  of: Compile,
): TemplateExpression {
  const value = of(operand);
  if (filter.type === "Identifier") {
    const apply = templateFilters.get(filter.value);
    if (apply === undefined) throw new Uncompilable(`filter ${filter.value}`);
    return (frame) => apply(value(frame), []);
  }
  const isCalled = filter.type === "CallExpression" && filter.callee.type === "Identifier";
  const apply = isCalled && calledFilters.get((filter.callee as NodeOf<"Identifier">).value);
  if (!isCalled || !apply) throw new Uncompilable("a filter");
  const args = filter.args.map(of);
  return (frame) => apply(value(frame), args.map((arg) => arg(frame)));
}

/** `a if b else c`, and without `else`: nothing then. */
function choice(node: NodeOf<"SelectExpression"> | NodeOf<"Ternary">, of: Compile) {
  const isTernary = node.type === "Ternary";
  const condition = of(isTernary ? node.condition : node.test);
  const yes = of(isTernary ? node.trueExpr : node.lhs);
  const no: TemplateExpression = isTernary ? of(node.falseExpr) : () => undefined;
  return (frame: TemplateFrame) => isTrue(condition(frame)) ? yes(frame) : no(frame);
}
