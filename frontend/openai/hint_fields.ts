import { hintRules } from "./hint_rules.ts";
import type { ClientHints } from "./hint_rules.ts";
import { shown } from "./field_reader.ts";
import type { FieldReader } from "./field_reader.ts";

const known = new Set([
  ...hintRules.flatMap(({ fields }) => fields),
  ...["agent_hints", "adapter"],
]);
const agentNames = new Set(["priority"]);
const unbuilt = { adapter: "serving LoRA adapters is" };

/** What a client asks for in `nvext`. */
export function hintFields(body: FieldReader): ClientHints {
  const nvext = body.object("nvext");
  if (nvext === undefined) return {};
  nvext.refuseUnknown(known);
  nvext.refuseUnbuilt(unbuilt);
  const hints: Record<string, unknown> = {};
  const agent = nvext.object("agent_hints");
  agent?.refuseUnknown(agentNames);
  const priority = agent?.number("priority", { min: -1000, max: 1000, integer: true });
  if (priority !== undefined) hints.priority = priority;
  for (const { hint, fields, problem } of hintRules) {
    const name = fields.find((one) => nvext.has(one));
    if (name === undefined) continue;
    const value = nvext.raw(name);
    const wrong = problem(value);
    if (wrong !== undefined) nvext.refuse(name, `${wrong}, got ${shown(value)}`);
    // -0 is 0: further on it would travel as a fraction.
    hints[hint] = value === 0 ? 0 : value;
  }
  return hints as ClientHints;
}
