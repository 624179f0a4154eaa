import type { ChatMessage } from "../core/vocabulary.ts";
import { commonFields, commonNames } from "./common_fields.ts";
import type { CommonRequest } from "./common_fields.ts";
import { FieldReader, shown } from "./field_reader.ts";

/** A chat completion request after validation. */
export interface ChatRequest extends CommonRequest {
  readonly messages: readonly ChatMessage[];
}

const names: readonly string[] = [
  ...commonNames,
  ...["messages", "max_completion_tokens", "top_logprobs", "response_format"],
];

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
};

const roles: readonly string[] = ["system", "developer", "user", "assistant"];

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
    const type = inner.text("type");
    if (type === "image_url" || type === "input_audio" || type === "file") {
      inner.refuse("type", `'${type}' parts are not built yet; send text`, "unsupported_parameter");
    }
    if (type !== "text") inner.refuse("type", `must be 'text', got ${shown(type)}`);
    const text = inner.text("text");
    if (text === undefined) inner.refuse("text", "is required");
    return text;
  }).join("");
}

function messageOf(value: unknown, index: number): ChatMessage {
  const path = `messages[${index}]`;
  const outer: FieldReader = new FieldReader({}, "");
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    outer.refuse(path, `must be an object, got ${shown(value)}`);
  }
  const fields: FieldReader = new FieldReader(value as Record<string, unknown>, path);
  const role = fields.text("role");
  if (role === "tool" || role === "function") {
    fields.refuse("role", `'${role}' messages are not built yet`, "unsupported_parameter");
  }
  if (role === undefined || !roles.includes(role)) {
    fields.refuse("role", `must be one of ${roles.join(", ")}, got ${shown(role ?? null)}`);
  }
  fields.refuseUnbuilt({
    tool_calls: "tools are",
    function_call: "functions are",
    audio: "audio is",
  });
  fields.refuseUnknown([
    "role",
    "content",
    "name",
    "refusal",
    "annotations",
    "tool_calls",
    "function_call",
    "audio",
  ]);
  // The model families served here know `system`; OpenAI renamed it.
  const known = role === "developer" ? "system" : role;
  return { role: known, content: contentOf(fields), name: fields.text("name") };
}

/** A chat completion request; throws `FieldError`. */
export function readChatRequest(
  body: Readonly<Record<string, unknown>>,
  rules: { readonly maxChoices: number },
): ChatRequest {
  const fields: FieldReader = new FieldReader(body);
  fields.refuseUnbuilt(unbuilt);
  fields.refuseUnknown([...names, ...Object.keys(unbuilt)]);
  const format = fields.object("response_format")?.text("type");
  if (format !== undefined && format !== "text") {
    fields.refuse(
      "response_format",
      `type '${format}' is not built yet; leave it out`,
      "unsupported_parameter",
    );
  }
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
