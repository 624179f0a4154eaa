import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import type { ServedModel } from "../generation/model_directory.ts";
import type { AnswerHead, AnswerKind } from "../openai/answer_head.ts";
import { readChatRequest } from "../openai/chat_request.ts";
import type { ChatRequest } from "../openai/chat_request.ts";
import { readCompletionRequest } from "../openai/completion_request.ts";
import type { CommonRequest } from "../openai/common_fields.ts";
import type { CompletionRequest, Prompt } from "../openai/completion_request.ts";
import { FieldError } from "../openai/field_reader.ts";
import type { ApiParts, Call } from "./call.ts";
import { hintHeaders, mergeHints } from "./hint_headers.ts";
import { unknownModel } from "./model_routes.ts";
import { chatTokens, checkTokens, completionTokens } from "./prompt_tokens.ts";
import type { RunOptions } from "./request_run.ts";

/** Everything a run needs, checked. */
export interface PreparedRun {
  readonly run: RunOptions;
  readonly head: AnswerHead;
  /** Per choice: the text it repeats first. */
  readonly echoes: readonly string[];
}

type Asked =
  | { readonly kind: "chat"; readonly request: ChatRequest }
  | { readonly kind: "text"; readonly request: CompletionRequest };

/** Checks a body and makes tokens of it: everything that can be refused without work of a worker is refused here. */
export async function prepare(
  kind: AnswerKind,
  body: Readonly<Record<string, unknown>>,
  { parts, call }: { readonly parts: ApiParts; readonly call: Call },
): Promise<Result<PreparedRun>> {
  try {
    const rules = { maxChoices: parts.config["max-choices"] };
    const asked: Asked = kind === "chat"
      ? { kind, request: readChatRequest(body, rules) }
      : { kind, request: readCompletionRequest(body, rules) };
    return await prepareAsked(asked, parts, call);
  } catch (error) {
    if (error instanceof FieldError) return { ok: false, error: error.failure };
    throw error;
  }
}

async function prepareAsked(
  asked: Asked,
  parts: ApiParts,
  call: Call,
): Promise<Result<PreparedRun>> {
  const { clock } = parts;
  const { requestId } = call;
  const { timeoutMs, ...hints } = mergeHints(
    hintHeaders(call.request.headers),
    asked.request.hints,
  );
  // Under its own id the client finds the decision again: `deno task explain ID`.
  if (call.clientId !== undefined) hints.clientId = call.clientId;
  if (parts.isDraining()) return draining();
  const found = await awakeModel(asked.request.model, { parts, call, timeoutMs });
  if (!found.ok) return found;
  const model = found.value;
  const vocabulary = await model.vocabulary();
  if (!vocabulary.ok) return vocabulary;
  const { contextLength } = model;
  const prompts = asked.kind === "chat"
    ? await chatTokens(asked.request, vocabulary.value, { nowMs: clock.wallMs(), contextLength })
    : await completionTokens(asked.request, vocabulary.value, contextLength);
  if (!prompts.ok) return prompts;
  const fits = checkTokens(asked.request, prompts.value, {
    vocabulary: vocabulary.value,
    contextLength,
    param: asked.kind === "chat" ? "messages" : "prompt",
  });
  if (!fits.ok) return fits;
  // Once more: draining may have begun while the prompt was tokenized.
  if (parts.isDraining()) return draining();
  return ok({
    run: {
      ...{ requestId, model, hints, timeoutMs, common: commonOf(asked.request) },
      ...{ vocabulary: vocabulary.value, prompts: prompts.value },
    },
    head: headOf(asked, model, { requestId, nowMs: clock.wallMs() }),
    echoes: echoesOf(asked, vocabulary.value, prompts.value),
  });
}

/** The model that is asked for; where it sleeps, once it has a worker again. */
async function awakeModel(
  name: string,
  { parts, call, timeoutMs = Infinity }: {
    readonly parts: ApiParts;
    readonly call: Call;
    readonly timeoutMs: number | undefined;
  },
): Promise<Result<ServedModel>> {
  const { directory, generator, config } = parts;
  const model = directory.find(name);
  if (model === undefined) return { ok: false, error: unknownModel(name) };
  if (!model.isAsleep) return ok(model);
  const mostMs = Math.min(timeoutMs, config["request-timeout"]);
  const woken = await generator.awake(model, { signal: call.request.signal, mostMs });
  if (!woken.ok) return woken;
  const awake = directory.find(name);
  return awake === undefined ? { ok: false, error: unknownModel(name) } : ok(awake);
}

function draining() {
  return fail("draining", "This frontend is shutting down and takes no new work; try again");
}

/** What a run keeps of its request: not its texts, which may be long. */
function commonOf(request: CommonRequest): CommonRequest {
  const { model, n, stream, includeUsage, sampling, seed, maxTokens, minTokens } = request;
  const { ignoreEos, stopTokenIds, stops, hints } = request;
  return {
    ...{ model, n, stream, includeUsage, sampling, seed, maxTokens, minTokens },
    ...{ ignoreEos, stopTokenIds, stops, hints },
  };
}

function headOf(
  { kind, request }: Asked,
  model: ServedModel,
  at: { readonly requestId: string; readonly nowMs: number },
): AnswerHead {
  return {
    kind,
    id: `${kind === "chat" ? "chatcmpl" : "cmpl"}-${at.requestId}`,
    created: Math.floor(at.nowMs / 1000),
    model: model.name,
    fingerprint: `fp_${model.cards[0].modelDigest.slice(0, 12)}`,
    logprobs: request.sampling.logprobs >= 0,
  };
}

function echoesOf(
  { kind, request }: Asked,
  vocabulary: Vocabulary,
  prompts: readonly Uint32Array[],
): readonly string[] {
  return prompts.flatMap((tokens, index) => {
    const echo = kind === "text" && request.echo
      ? textOf(request.prompts[index], tokens, vocabulary)
      : "";
    return new Array<string>(request.n).fill(echo);
  });
}

function textOf(prompt: Prompt, tokens: Uint32Array, vocabulary: Vocabulary): string {
  if (typeof prompt === "string") return prompt;
  const detokenizer = vocabulary.detokenizer();
  return detokenizer.push(tokens) + detokenizer.finish();
}
