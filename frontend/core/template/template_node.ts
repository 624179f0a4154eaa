/**
 * A parsed template as `@huggingface/jinja` makes it: the nodes that are compiled. Any other `type` may occur, and sends
 * the template to the package's own interpreter.
 */
export type TemplateNode =
  | { readonly type: "Program"; readonly body: readonly TemplateNode[] }
  | {
    readonly type: "If";
    readonly test: TemplateNode;
    readonly body: readonly TemplateNode[];
    readonly alternate: readonly TemplateNode[];
  }
  | {
    readonly type: "For";
    readonly loopvar: TemplateNode;
    readonly iterable: TemplateNode;
    readonly body: readonly TemplateNode[];
    readonly defaultBlock: readonly TemplateNode[];
  }
  | {
    readonly type: "Set";
    readonly assignee: TemplateNode;
    readonly value: TemplateNode | null;
    readonly body: readonly TemplateNode[];
  }
  | { readonly type: "Comment" }
  | { readonly type: "Identifier"; readonly value: string }
  | { readonly type: "StringLiteral"; readonly value: string }
  | { readonly type: "IntegerLiteral"; readonly value: number }
  | { readonly type: "ArrayLiteral" | "TupleLiteral"; readonly value: readonly TemplateNode[] }
  | {
    readonly type: "MemberExpression";
    readonly object: TemplateNode;
    readonly property: TemplateNode;
    readonly computed: boolean;
  }
  | {
    readonly type: "SliceExpression";
    readonly start?: TemplateNode;
    readonly stop?: TemplateNode;
    readonly step?: TemplateNode;
  }
  | {
    readonly type: "CallExpression";
    readonly callee: TemplateNode;
    readonly args: readonly TemplateNode[];
  }
  | {
    readonly type: "KeywordArgumentExpression";
    readonly key: { readonly value: string };
    readonly value: TemplateNode;
  }
  | {
    readonly type: "BinaryExpression";
    readonly operator: { readonly value: string };
    readonly left: TemplateNode;
    readonly right: TemplateNode;
  }
  | {
    readonly type: "UnaryExpression";
    readonly operator: { readonly value: string };
    readonly argument: TemplateNode;
  }
  | {
    readonly type: "FilterExpression";
    readonly operand: TemplateNode;
    readonly filter: TemplateNode;
  }
  | {
    readonly type: "TestExpression";
    readonly operand: TemplateNode;
    readonly negate: boolean;
    readonly test: { readonly value: string };
  }
  | { readonly type: "SelectExpression"; readonly lhs: TemplateNode; readonly test: TemplateNode }
  | {
    readonly type: "Ternary";
    readonly condition: TemplateNode;
    readonly trueExpr: TemplateNode;
    readonly falseExpr: TemplateNode;
  };

/** The node of one type. */
export type NodeOf<Type extends TemplateNode["type"]> = Extract<
  TemplateNode,
  { readonly type: Type }
>;
