import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { CompiledTemplate } from "../core/template/compiled_template.ts";
import type { TemplateNode } from "../core/template/template_node.ts";
import { leave } from "../core/template/template_value.ts";
import type { ChatMessage } from "../core/vocabulary.ts";
import { strftime } from "./strftime.ts";

/** What a template may ask of its model. */
export interface TemplateTokens {
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
}

/** Longest list that a template's `range` makes. */
const mostRange = 65_536;

/** Thrown by a template's own `raise_exception`. */
class TemplateRefusal extends Error {}

/** A model's chat template, parsed once. */
export class ChatTemplate {
  /** The Jinja source. */
  readonly source: string;
  readonly #parsed: Result<Template["parsed"]>;
  /** What renders, where it can. */
  readonly #compiled: CompiledTemplate | undefined;
  /** What every render of the interpreter finds; what differs is in an environment of its own above it. */
  readonly #base: Environment;
  /** The time of the render that runs. */
  #nowMs = 0;

  constructor(source: string, tokens: TemplateTokens) {
    this.source = source;
    this.#parsed = parsed(source);
    this.#base = baseEnvironment(tokens, () => this.#nowMs);
    if (!this.#parsed.ok) return;
    this.#compiled = CompiledTemplate.of(this.#parsed.value as unknown as TemplateNode, {
      values: valuesOf(tokens),
      functions: {
        strftime_now: ([format]) =>
          typeof format === "string" ? strftime(format, this.#nowMs) : leave(),
        // Rare, and what they say when they fail is the interpreter's.
        raise_exception: leave,
        range: leave,
      },
    });
    // The interpreter throws and catches an exception for each name it does not find, which is most of a render's time.
    for (const name of namesIn(this.#parsed.value)) {
      if (!this.#base.variables.has(name)) this.#base.set(name, undefined);
    }
  }

  /** Messages as the model reads them, up to where its answer begins; `invalid_request` where the template refuses. */
  render(messages: readonly ChatMessage[], nowMs: number): Result<string> {
    if (!this.#parsed.ok) return this.#parsed;
    this.#nowMs = nowMs;
    const compiled = this.#compiled?.render(messages);
    return compiled === undefined ? this.#interpret(messages) : ok(compiled);
  }

  /** True where messages are usually rendered without the interpreter. */
  get isCompiled(): boolean {
    return this.#compiled !== undefined;
  }

  #interpret(messages: readonly ChatMessage[]): Result<string> {
    if (!this.#parsed.ok) return this.#parsed;
    const environment = new Environment(this.#base);
    environment.set(
      "messages",
      messages.map(({ role, content, name }) =>
        name === undefined ? { role, content } : { role, content, name }
      ),
    );
    try {
      const result = new Interpreter(environment).run(this.#parsed.value);
      return ok((result as { value: string }).value);
    } catch (error) {
      const { message } = error as Error;
      const text = error instanceof TemplateRefusal
        ? `The model's chat template refuses these messages: ${message}`
        : `The model's chat template cannot render these messages: ${message}`;
      return fail("invalid_request", text, { param: "messages" });
    }
  }
}

function parsed(source: string): Result<Template["parsed"]> {
  try {
    return ok(new Template(source).parsed);
  } catch (error) {
    const { message } = error as Error;
    return fail(
      "invalid_request",
      `The model's chat template cannot be read: ${message}; use /v1/completions`,
      { param: "messages" },
    );
  }
}

/** Every name in a parsed template. */
function namesIn(node: unknown, names: Set<string> = new Set()): Set<string> {
  if (typeof node !== "object" || node === null) return names;
  const { type, value } = node as { readonly type?: unknown; readonly value?: unknown };
  if (type === "Identifier" && typeof value === "string") names.add(value);
  for (const child of Object.values(node)) namesIn(child, names);
  return names;
}

/** The names a template finds. Set one by one: the package's own `render` brings a clock of its own. */
function baseEnvironment(tokens: TemplateTokens, nowMs: () => number): Environment {
  const environment = new Environment();
  const names: Readonly<Record<string, unknown>> = {
    ...valuesOf(tokens),
    range,
    raise_exception: (message: string) => {
      throw new TemplateRefusal(message);
    },
    strftime_now: (format: string) => strftime(format, nowMs()),
  };
  for (const [name, value] of Object.entries(names)) environment.set(name, value);
  return environment;
}

/** Names with plain values. */
function valuesOf({ bosToken = "", eosToken = "" }: TemplateTokens) {
  return {
    ...{ false: false, true: true, none: null, False: false, True: true, None: null },
    ...{ add_generation_prompt: true, bos_token: bosToken, eos_token: eosToken },
  };
}

/** Python's `range`. */
function range(first: number, second?: number, step = 1): number[] {
  const [from, to] = second === undefined ? [0, first] : [first, second];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= mostRange)) throw new RangeError(`range() of ${count} numbers is too long`);
  return Array.from({ length: count }, (_, i) => from + i * step);
}
