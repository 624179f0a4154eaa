import { FieldError } from "../openai/field_reader.ts";
import { hintRules } from "../openai/hint_rules.ts";
import type { ClientHints, HintShape } from "../openai/hint_rules.ts";

const unbuiltHeader = "x-pixii-adapter";

/** What a client asks for by `x-pixii-*` headers (`hintRules` has their names). Throws `FieldError`. */
export function hintHeaders(headers: Headers): ClientHints {
  const hints: Record<string, unknown> = {};
  for (const { hint, headers: names, shape, problem } of hintRules) {
    for (const name of names) {
      const text = headers.get(name);
      if (text === null) continue;
      const value = valueOf(text, shape);
      const wrong = problem(value);
      if (wrong !== undefined) refuse(name, wrong.replace("an array of", "a list of"), text);
      hints[hint] = value;
      break;
    }
  }
  if (headers.has(unbuiltHeader)) {
    throw new FieldError(
      "unsupported_parameter",
      `Unsupported header '${unbuiltHeader}': serving LoRA adapters is not built yet; leave it out`,
      unbuiltHeader,
    );
  }
  return hints as ClientHints;
}

/** A header's text as the value that the same hint has in `nvext`. */
function valueOf(text: string, shape: HintShape): unknown {
  if (shape === "text") return text;
  if (shape === "number") return numberOf(text);
  const parts = text.split(",").map((part) => part.trim());
  if (shape === "list") return parts;
  return Object.fromEntries(parts.map((part) => {
    const at = part.indexOf("=");
    return at < 0 ? [part, NaN] : [part.slice(0, at).trim(), numberOf(part.slice(at + 1).trim())];
  }));
}

function numberOf(text: string): number {
  const number = /^-?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
  return number === 0 ? 0 : number;
}

function refuse(name: string, rule: string, got: string): never {
  const shown = got.slice(0, 40);
  throw new FieldError(
    "invalid_request",
    `Invalid header '${name}': ${rule}, got '${shown}'`,
    name,
  );
}

/** Two sources of hints as one: what `over` says wins. */
export function mergeHints(under: ClientHints, over: ClientHints): ClientHints {
  const said = Object.entries(over).filter(([, value]) => value !== undefined);
  return { ...under, ...Object.fromEntries(said) };
}
