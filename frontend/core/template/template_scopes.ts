import type { NodeOf, TemplateNode } from "./template_node.ts";
import type { TemplateFrame, TemplateValue } from "./template_value.ts";

/** Where a loop has not set a name yet: the name is an outer scope's. */
export const unset: TemplateValue = Object.freeze([]);

/**
 * Slots of the names of a template. A loop has one scope for all its turns; what it sets hides the outer name of the same
 * spelling from then on. The outermost scope is the template's own and has every name.
 */
export class TemplateScopes {
  readonly #scopes: Map<string, number>[] = [new Map()];
  readonly #writtenNames = new Set<string>();
  #count = 0;

  /** Slots given out so far. */
  get count(): number {
    return this.#count;
  }

  /** Slot of a name in the outermost scope. */
  outermost(name: string): number {
    return this.#slot(this.#scopes[0], name);
  }

  /** Slot that a name is written to in the scope that is open. */
  written(name: string): number {
    this.#writtenNames.add(name);
    return this.#slot(this.#scopes.at(-1)!, name);
  }

  /** True where the template writes the name somewhere. */
  writes(name: string): boolean {
    return this.#writtenNames.has(name);
  }

  /** Reads a name as the open scope sees it. */
  reader(name: string): (frame: TemplateFrame) => TemplateValue {
    this.outermost(name);
    const slots = this.#scopes.map((scope) => scope.get(name)).filter((slot) => slot !== undefined)
      .reverse();
    const [first, second] = slots;
    if (slots.length === 1) return (frame) => frame[first];
    if (slots.length === 2) return (frame) => frame[first] === unset ? frame[second] : frame[first];
    return (frame) => frame[slots.find((slot) => frame[slot] !== unset)!];
  }

  /** Opens the scope of a loop while `inside` runs; its slots are those that a turn of the loop may write. */
  within<T>(loop: NodeOf<"For">, inside: (slots: readonly number[]) => T): T {
    const scope = new Map<string, number>();
    this.#scopes.push(scope);
    for (const name of ["loop", ...namesOf(loop.loopvar), ...namesSet(loop.body)]) {
      this.#slot(scope, name);
    }
    for (const name of namesSet(loop.defaultBlock)) this.#slot(scope, name);
    const result = inside([...scope.values()]);
    this.#scopes.pop();
    return result;
  }

  #slot(scope: Map<string, number>, name: string): number {
    const known = scope.get(name);
    if (known !== undefined) return known;
    scope.set(name, this.#count);
    return this.#count++;
  }
}

/** Names that an assignment's left side binds. */
function namesOf(target: TemplateNode): readonly string[] {
  if (target.type === "Identifier") return [target.value];
  return target.type === "TupleLiteral" ? target.value.flatMap(namesOf) : [];
}

/** Names that a block sets in its own scope. */
export function namesSet(block: readonly TemplateNode[]): readonly string[] {
  return block.flatMap((node): readonly string[] => {
    if (node.type === "Set") return namesOf(node.assignee);
    if (node.type === "If") return [...namesSet(node.body), ...namesSet(node.alternate)];
    return [];
  });
}
