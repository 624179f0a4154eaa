import { compileExpression, Uncompilable } from "./template_expression.ts";
import type { ExpressionGround } from "./template_expression.ts";
import type { NodeOf, TemplateNode } from "./template_node.ts";
import { unset } from "./template_scopes.ts";
import {
  isFields,
  isList,
  isTrue,
  leave,
  LoopFields,
  NamespaceFields,
  printed,
} from "./template_value.ts";
import type { TemplateFrame, TemplateValue } from "./template_value.ts";

/** A compiled statement: what it prints. */
export type TemplateStatement = (frame: TemplateFrame) => string;

/** Compiles a list of statements; throws `Uncompilable`. */
export function compileBlock(
  block: readonly TemplateNode[],
  ground: ExpressionGround,
): TemplateStatement {
  const statements = block.filter((node) => node.type !== "Comment").map((node) =>
    statement(node, ground)
  );
  const [first, second] = statements;
  if (statements.length === 0) return () => "";
  if (statements.length === 1) return first;
  if (statements.length === 2) return (frame) => first(frame) + second(frame);
  return (frame) => {
    let text = "";
    for (let i = 0; i < statements.length; i++) text += statements[i](frame);
    return text;
  };
}

function statement(node: TemplateNode, ground: ExpressionGround): TemplateStatement {
  switch (node.type) {
    case "If": {
      const test = compileExpression(node.test, ground);
      const body = compileBlock(node.body, ground);
      const alternate = compileBlock(node.alternate, ground);
      return (frame) => isTrue(test(frame)) ? body(frame) : alternate(frame);
    }
    case "For":
      return ground.scopes.within(node, (slots) => loop(node, slots, ground));
    case "Set":
      return assignment(node, ground);
    case "StringLiteral": {
      const { value } = node;
      return () => value;
    }
    default: {
      const value = compileExpression(node, ground);
      return (frame) => printed(value(frame));
    }
  }
}

function assignment(node: NodeOf<"Set">, ground: ExpressionGround): TemplateStatement {
  const { assignee } = node;
  if (node.value === null || node.value === undefined) throw new Uncompilable("a set block");
  const value = compileExpression(node.value, ground);
  if (assignee.type === "Identifier") {
    const slot = ground.scopes.written(assignee.value);
    return (frame) => {
      frame[slot] = value(frame);
      return "";
    };
  }
  if (assignee.type !== "MemberExpression" || assignee.property.type !== "Identifier") {
    throw new Uncompilable(`set ${assignee.type}`);
  }
  const object = compileExpression(assignee.object, ground);
  const name = assignee.property.value;
  return (frame) => {
    // Both sides first: what is wrong with either is the interpreter's to say.
    const set = value(frame);
    const fields = object(frame);
    if (!(isFields(fields) && fields instanceof NamespaceFields)) return leave();
    fields.set(name, set);
    return "";
  };
}

function loop(
  node: NodeOf<"For">,
  slots: readonly number[],
  ground: ExpressionGround,
): TemplateStatement {
  const { loopvar, iterable } = node;
  if (loopvar.type !== "Identifier") throw new Uncompilable("a loop over pairs");
  const isFiltered = iterable.type === "SelectExpression";
  if (isFiltered && node.defaultBlock.length > 0) throw new Uncompilable("for … if … else");
  const list = compileExpression(isFiltered ? iterable.lhs : iterable, ground);
  const test = isFiltered ? compileExpression(iterable.test, ground) : undefined;
  const item = ground.scopes.written(loopvar.value);
  const turn = ground.scopes.written("loop");
  const body = compileBlock(node.body, ground);
  const alternate = compileBlock(node.defaultBlock, ground);
  return (frame) => {
    for (const slot of slots) frame[slot] = unset;
    const all = list(frame);
    if (!isList(all)) return leave();
    const items = test === undefined ? all : all.filter((one: TemplateValue) => {
      frame[item] = one;
      return isTrue(test(frame));
    });
    let text = "";
    for (let i = 0; i < items.length; i++) {
      frame[turn] = new LoopFields(items, i);
      frame[item] = items[i];
      text += body(frame);
    }
    return items.length === 0 ? alternate(frame) : text;
  };
}
