import type { ChatMessage } from "../core/vocabulary.ts";
import { commonFields, commonNames, unbuiltExtras } from "./common_fields.ts";
import type { CommonRequest } from "./common_fields.ts";
import { FieldReader, shown } from "./field_reader.ts";

/** A chat completion request after validation. */
export interface ChatRequest extends CommonRequest {
  readonly messages: readonly ChatMessage[];
}

/** Known to OpenAI and not built here yet. */
const unbuilt: Readonly<Record<string, string>> = {
  tools: "tools are",
  tool_choice: "tools are",
  parallel_tool_calls: "tools are",
  functions: "functions are",
  function_call: "functions are",
  audio: "audio is",
  modalities: "modalities are",
  prediction: "predicted output is",
  reasoning_effort: "reasoning effort is",
  verbosity: "verbosity is",
  web_search_options: "web search is",
  chat_template: "a template in the request is",
  chat_template_kwargs: "arguments of templates are",
  add_generation_prompt: "leaving out the generation prompt is",
  continue_final_message: "continuing a message is",
  ...unbuiltExtras,
};

const names: ReadonlySet<string> = new Set([
  ...commonNames,
  ...["messages", "max_completion_tokens", "top_logprobs", "response_format"],
  ...Object.keys(unbuilt),
]);
const messageNames: ReadonlySet<string> = new Set([
  ...["role", "content", "name", "refusal", "annotations", "tool_calls", "function_call", "audio"],
]);
const unbuiltInMessages: Readonly<Record<string, string>> = {
  tool_calls: "tools are",
  function_call: "functions are",
  audio: "audio is",
};
const partNames: ReadonlySet<string> = new Set(["type", "text"]);
const unbuiltParts: readonly unknown[] = ["image_url", "input_audio", "file", "refusal"];
const roles = ["system", "developer", "user", "assistant"] as const;
const unbuiltRoles: readonly unknown[] = ["tool", "function"];
const formats = ["text", "json_object", "json_schema"] as const;

/** Text of a message's content: a string, or text parts joined. */
function contentOf(fields: FieldReader): string {
  const value = fields.raw("content");
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) {
    fields.refuse("content", `must be a string or an array of text parts, got ${shown(value)}`);
  }
  return value.map((part, i) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) {
      fields.refuse(`content[${i}]`, `must be an object, got ${shown(part)}`);
    }
    const inner: FieldReader = new FieldReader(part, fields.path(`content[${i}]`));
    const type = inner.raw("type");
    if (unbuiltParts.includes(type)) {
      inner.refuse("type", `'${type}' parts are not built yet; send text`, "unsupported_parameter");
    }
    if (type !== "text") inner.refuse("type", `must be 'text', got ${shown(type ?? null)}`);
    inner.refuseUnknown(partNames);
    return inner.text("text") ?? inner.refuse("text", "is required");
  }).join("");
}

function messageOf(value: unknown, index: number): ChatMessage {
  const path = `messages[${index}]`;
  const outer: FieldReader = new FieldReader({}, "");
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    outer.refuse(path, `must be an object, got ${shown(value)}`);
  }
  const fields: FieldReader = new FieldReader(value as Record<string, unknown>, path);
  const said = fields.raw("role");
  if (unbuiltRoles.includes(said)) {
    fields.refuse("role", `'${said}' messages are not built yet`, "unsupported_parameter");
  }
  const role = fields.word("role", roles) ?? fields.refuse("role", "is required");
  fields.refuseUnbuilt(unbuiltInMessages);
  fields.refuseUnknown(messageNames);
  // The model families served here know `system`; OpenAI renamed it.
  const known = role === "developer" ? "system" : role;
  return { role: known, content: contentOf(fields), name: fields.text("name") };
}

function refuseFormat(fields: FieldReader): void {
  const format = fields.object("response_format");
  if (format === undefined) return;
  const type = format.word("type", formats) ?? format.refuse("type", "is required");
  if (type === "text") return;
  const rule = `type '${type}' is not built yet; leave it out`;
  fields.refuse("response_format", rule, "unsupported_parameter");
}

/** A chat completion request; throws `FieldError`. */
export function readChatRequest(
  body: Readonly<Record<string, unknown>>,
  rules: { readonly maxChoices: number },
): ChatRequest {
  const fields: FieldReader = new FieldReader(body);
  fields.refuseUnbuilt(unbuilt);
  fields.refuseUnknown(names);
  refuseFormat(fields);
  const messages = fields.raw("messages");
  if (!Array.isArray(messages)) {
    fields.refuse(
      "messages",
      messages === undefined ? "is required" : `must be an array, got ${shown(messages)}`,
    );
  }
  if (messages.length === 0) fields.refuse("messages", "must hold at least one message");
  const asked = fields.flag("logprobs") ?? false;
  const top = fields.number("top_logprobs", { min: 0, max: 20, integer: true });
  if (top !== undefined && !asked) {
    fields.refuse("top_logprobs", "is only allowed when logprobs is true");
  }
  const positive = { min: 1, max: 0xffffffff, integer: true };
  const old = fields.number("max_tokens", positive);
  const fresh = fields.number("max_completion_tokens", positive);
  if (old !== undefined && fresh !== undefined && old !== fresh) {
    fields.refuse("max_tokens", "differs from max_completion_tokens; send one of them");
  }
  const common = commonFields(fields, {
    logprobs: asked ? top ?? 0 : -1,
    maxTokens: fresh ?? old,
    maxChoices: rules.maxChoices,
  });
  return { ...common, messages: messages.map(messageOf) };
}
