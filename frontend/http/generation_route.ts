import { errors, fail, workerRankText } from "@pixii/wire";
import type { Failure } from "@pixii/wire";
import type { AnswerKind } from "../openai/answer_head.ts";
import { errorAnswer, jsonAnswer } from "./answer.ts";
import type { Call, RouteParts } from "./call.ts";
import { CollectedAnswer } from "./collected_answer.ts";
import { prepare } from "./prepared_run.ts";
import type { PreparedRun } from "./prepared_run.ts";
import { RequestRun } from "./request_run.ts";
import { RunMeter } from "./run_meter.ts";
import { StreamedAnswer } from "./streamed_answer.ts";

/** A run and where it comes from. */
interface Running {
  readonly parts: RouteParts;
  readonly call: Call;
  readonly meter: RunMeter;
}

/** `POST /v1/chat/completions` (chat) and `POST /v1/completions` (text). */
export async function answerGeneration(
  kind: AnswerKind,
  parts: RouteParts,
  call: Call,
): Promise<Response> {
  const { clock, metrics, bodies } = parts;
  const body = await bodies.readJson(call.request);
  const meter = new RunMeter(metrics, { clock, endpoint: kind });
  const prepared = body.ok ? await prepare(kind, body.value, { parts, call }) : body;
  if (!prepared.ok) {
    meter.refused(errors[prepared.error.code].status);
    return errorAnswer(prepared.error, call.headers);
  }
  meter.begin(prepared.value.run);
  return prepared.value.run.common.stream
    ? await answerStreamed(prepared.value, { parts, call, meter })
    : await answerWhole(prepared.value, { parts, call, meter });
}

async function answerWhole(
  { run: options, head, echoes }: PreparedRun,
  { parts, call, meter }: Running,
): Promise<Response> {
  const answer = new CollectedAnswer(head, options.vocabulary, echoes);
  const run = new RequestRun(options, answer, meter);
  const gone = Promise.withResolvers<Failure>();
  startRun(run, { parts, call, onGone: () => gone.resolve(clientGone()) });
  const failure = await Promise.race([answer.whole, gone.promise]);
  addDebugHeaders(call, run);
  if (failure !== undefined) return errorAnswer(failure, call.headers);
  return jsonAnswer(200, answer.json(run.usage()), call.headers);
}

async function answerStreamed(
  { run: options, head, echoes }: PreparedRun,
  { parts, call, meter }: Running,
): Promise<Response> {
  const answer = new StreamedAnswer({
    ...{ head, echoes, vocabulary: options.vocabulary, outbox: parts.outbox },
    includeUsage: options.common.includeUsage,
    onGone: (why) => run.leave(why),
  });
  const run: RequestRun = new RequestRun(options, answer, meter);
  startRun(run, { parts, call, onGone: () => {} });
  const failure = await run.started;
  // What a worker took from KV is known with its first tokens.
  if (isDebug(call)) await run.firstText;
  addDebugHeaders(call, run);
  // Nothing was sent yet: the client gets a status it understands.
  if (failure !== undefined) return errorAnswer(failure, call.headers);
  call.headers.set("content-type", "text/event-stream; charset=utf-8");
  call.headers.set("cache-control", "no-cache");
  // Proxies that buffer would hold the tokens back.
  call.headers.set("x-accel-buffering", "no");
  return new Response(answer.body, { status: 200, headers: call.headers });
}

/** Starts a run that ends with its client, whenever that leaves. */
function startRun(
  run: RequestRun,
  { parts, call, onGone }: {
    readonly parts: RouteParts;
    readonly call: Call;
    readonly onGone: () => void;
  },
): void {
  const { generator, clock, chance, config } = parts;
  const { signal } = call.request;
  const leave = () => {
    run.leave("cancelled");
    onGone();
  };
  if (signal.aborted) return leave();
  signal.addEventListener("abort", leave, { once: true });
  run.start({ generator, clock, chance, requestTimeoutMs: config["request-timeout"] });
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
