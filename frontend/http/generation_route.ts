import { errors, fail, ok, workerRankText } from "@pixii/wire";
import type { Failure, Result } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import type { ServedModel } from "../generation/model_directory.ts";
import type { AnswerHead, AnswerKind } from "../openai/answer_head.ts";
import { readChatRequest } from "../openai/chat_request.ts";
import type { ChatRequest } from "../openai/chat_request.ts";
import { readCompletionRequest } from "../openai/completion_request.ts";
import type { CompletionRequest } from "../openai/completion_request.ts";
import { FieldError } from "../openai/field_reader.ts";
import { errorAnswer, jsonAnswer } from "./answer.ts";
import type { ApiParts, Call } from "./call.ts";
import { CollectedAnswer } from "./collected_answer.ts";
import { hintHeaders, mergeHints } from "./hint_headers.ts";
import { unknownModel } from "./model_routes.ts";
import { chatTokens, checkTokens, completionTokens } from "./prompt_tokens.ts";
import { readJsonBody } from "./request_body.ts";
import { RequestRun } from "./request_run.ts";
import type { AnswerWriter, RunOptions } from "./request_run.ts";
import { RunMeter } from "./run_meter.ts";
import { StreamedAnswer } from "./streamed_answer.ts";

/** Everything a run needs, checked. */
interface Prepared {
  readonly run: RunOptions;
  readonly head: AnswerHead;
  /** Per choice: the text it repeats first. */
  readonly echoes: readonly string[];
}

/** `POST /v1/chat/completions` (chat) and `POST /v1/completions` (text). */
export async function answerGeneration(
  kind: AnswerKind,
  parts: ApiParts,
  call: Call,
): Promise<Response> {
  const { config, clock, metrics } = parts;
  const body = await readJsonBody(call.request, {
    mostBytes: config["max-body"],
    timeoutMs: config["body-timeout"],
    clock,
  });
  const meter = new RunMeter(metrics, { clock, endpoint: kind });
  const prepared = body.ok ? await prepare(kind, body.value, parts, call) : body;
  if (!prepared.ok) {
    meter.refused(errors[prepared.error.code].status);
    return errorAnswer(prepared.error, call.headers);
  }
  meter.begin(prepared.value.run);
  return prepared.value.run.common.stream
    ? await answerStreamed(prepared.value, { parts, call, meter })
    : await answerWhole(prepared.value, { parts, call, meter });
}

interface Running {
  readonly parts: ApiParts;
  readonly call: Call;
  readonly meter: RunMeter;
}

async function answerWhole(
  { run: options, head, echoes }: Prepared,
  { parts, call, meter }: Running,
): Promise<Response> {
  const answer = new CollectedAnswer(head, options.vocabulary, echoes);
  const run = new RequestRun(options, meter.around(answer));
  startRun(run, parts, call, meter);
  const gone = Promise.withResolvers<Failure>();
  const onGone = () => gone.resolve(clientGone());
  call.request.signal.addEventListener("abort", onGone, { once: true });
  const failure = await Promise.race([answer.whole, gone.promise]);
  call.request.signal.removeEventListener("abort", onGone);
  meter.end(run.usage(), failure === undefined ? 200 : errors[failure.code].status);
  addDebugHeaders(call, run);
  if (failure !== undefined) return errorAnswer(failure, call.headers);
  return jsonAnswer(200, answer.json(run.usage()), call.headers);
}

async function answerStreamed(
  { run: options, head, echoes }: Prepared,
  { parts, call, meter }: Running,
): Promise<Response> {
  // The answer and its run know each other: the run is made right after.
  const made: { run?: RequestRun } = {};
  const answer = new StreamedAnswer({
    ...{ head, echoes, vocabulary: options.vocabulary },
    includeUsage: options.common.includeUsage,
    usage: () => made.run!.usage(),
    onGone: (why) => {
      made.run?.cancel();
      meter.gone(why);
    },
  });
  const ending: AnswerWriter = {
    text: (index, text, details) => answer.text(index, text, details),
    finished: (index, reason) => answer.finished(index, reason),
    done: () => {
      answer.done();
      meter.end(run.usage(), 200);
    },
    failed: (error) => {
      answer.failed(error);
      meter.end(run.usage(), errors[error.code].status);
    },
  };
  const run = made.run = new RequestRun(options, meter.around(ending));
  startRun(run, parts, call, meter);
  const failure = await run.started;
  // Nothing was sent yet: the client gets a status it understands.
  if (failure !== undefined) return errorAnswer(failure, call.headers);
  if (isDebug(call)) await run.firstText;
  addDebugHeaders(call, run);
  call.headers.set("content-type", "text/event-stream; charset=utf-8");
  call.headers.set("cache-control", "no-cache");
  return new Response(answer.body, { status: 200, headers: call.headers });
}

function startRun(run: RequestRun, parts: ApiParts, call: Call, meter: RunMeter): void {
  const { generator, clock, chance, config } = parts;
  const { signal } = call.request;
  const leave = () => {
    run.cancel();
    meter.gone("cancelled");
    meter.end(run.usage(), errors.cancelled.status);
  };
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) return leave();
  run.start({ generator, clock, chance, requestTimeoutMs: config["request-timeout"] });
}

async function prepare(
  kind: AnswerKind,
  body: Readonly<Record<string, unknown>>,
  parts: ApiParts,
  call: Call,
): Promise<Result<Prepared>> {
  const { config, directory, clock } = parts;
  try {
    const rules = { maxChoices: config["max-choices"] };
    const asked: Asked = kind === "chat"
      ? { kind, request: readChatRequest(body, rules) }
      : { kind, request: readCompletionRequest(body, rules) };
    const hints = mergeHints(hintHeaders(call.request.headers), asked.request.hints);
    const model = directory.find(asked.request.model);
    if (model === undefined) {
      return { ok: false, error: unknownModel(asked.request.model) };
    }
    if (parts.isDraining()) {
      return fail("draining", "This frontend is shutting down and takes no new work; try again");
    }
    const vocabulary = await model.vocabulary();
    if (!vocabulary.ok) return vocabulary;
    const prompts = asked.kind === "chat"
      ? chatTokens(asked.request, vocabulary.value, clock.wallMs())
      : completionTokens(asked.request, vocabulary.value);
    if (!prompts.ok) return prompts;
    const fits = checkTokens(asked.request, prompts.value, {
      vocabulary: vocabulary.value,
      contextLength: model.contextLength,
      param: asked.kind === "chat" ? "messages" : "prompt",
    });
    if (!fits.ok) return fits;
    const { requestId } = call;
    return ok({
      run: {
        ...{ requestId, model, hints, common: asked.request },
        ...{ vocabulary: vocabulary.value, prompts: prompts.value },
      },
      head: headOf(asked, model, { requestId, nowMs: clock.wallMs() }),
      echoes: echoesOf(asked, vocabulary.value, prompts.value),
    });
  } catch (error) {
    if (error instanceof FieldError) return { ok: false, error: error.failure };
    throw error;
  }
}

type Asked =
  | { readonly kind: "chat"; readonly request: ChatRequest }
  | { readonly kind: "text"; readonly request: CompletionRequest };

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

function textOf(prompt: unknown, tokens: Uint32Array, vocabulary: Vocabulary): string {
  if (typeof prompt === "string") return prompt;
  const detokenizer = vocabulary.detokenizer();
  return detokenizer.push(tokens) + detokenizer.finish();
}

function isDebug(call: Call): boolean {
  return call.request.headers.get("x-pixii-debug") === "1";
}

/** Who worked on it and what it took from KV, for those who ask. */
function addDebugHeaders(call: Call, run: RequestRun): void {
  if (!isDebug(call)) return;
  const { device, host, disk } = run.usage().cached;
  const worker = run.choices[0].worker;
  if (worker !== undefined) call.headers.set("x-pixii-worker", workerRankText(worker));
  call.headers.set("x-pixii-cached-tokens", `device=${device},host=${host},disk=${disk}`);
}

function clientGone(): Failure {
  return fail("cancelled", "The client went away before its answer was whole").error;
}
