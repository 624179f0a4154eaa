import { errors, fail, workerRankText } from "@pixii/wire";
import type { Failure } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type { AnswerKind } from "../openai/answer_head.ts";
import { errorAnswer, jsonAnswer } from "./answer.ts";
import { BrokenBody } from "./byte_pipe.ts";
import type { Call, RouteParts } from "./call.ts";
import { CollectedAnswer } from "./collected_answer.ts";
import { prepare } from "./prepared_run.ts";
import type { PreparedRun } from "./prepared_run.ts";
import { RequestRun } from "./request_run.ts";
import { RunMeter } from "./run_meter.ts";
import { StreamedAnswer } from "./streamed_answer.ts";

/**
 * An answer in one piece that is not whole after this sends its head. `Deno.serve` (2.9.6) hears of a client that left
 * only once the head is out, unless the request fitted into its first read of 512 bytes; a failure after it breaks the
 * connection instead of choosing the status.
 */
export const headAfterMs = 500;

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
  const { clock } = parts;
  const answer = new CollectedAnswer(head, options.vocabulary, echoes);
  const run = new RequestRun(options, answer, meter);
  const gone = Promise.withResolvers<Failure>();
  startRun(run, { parts, call, onGone: () => gone.resolve(clientGone()) });
  const ended = Promise.race([answer.whole, gone.promise]);
  const first = isDebug(call) ? await ended : await endedOrLong(ended, run, clock);
  if (first === "long") {
    call.headers.set("content-type", "application/json");
    const body = lateBody(ended, {
      json: () => answer.json(run.usage()),
      onGone: () => run.leave("cancelled"),
      onCut: ({ code, message }) => {
        parts.log.info("an answer was cut", { requestId: call.requestId, code, message });
      },
    });
    return new Response(body, { status: 200, headers: call.headers });
  }
  addDebugHeaders(call, run);
  if (first !== undefined) return errorAnswer(first, call.headers);
  return jsonAnswer(200, answer.json(run.usage()), call.headers);
}

/** How the answer ended, or "long" once its run is at work and `headAfterMs` have passed. */
async function endedOrLong(
  ended: Promise<Failure | undefined>,
  run: RequestRun,
  clock: Clock,
): Promise<Failure | undefined | "long"> {
  const due = Promise.withResolvers<"long">();
  using _due = clock.timer(headAfterMs, () => due.resolve("long"));
  return await Promise.race([ended, due.promise.then((long) => run.started.then(() => long))]);
}

/** A body that comes when the answer is whole, watched for its client meanwhile. */
function lateBody(
  ended: Promise<Failure | undefined>,
  { json, onGone, onCut }: {
    readonly json: () => string;
    readonly onGone: () => void;
    readonly onCut: (failure: Failure) => void;
  },
): ReadableStream<Uint8Array> {
  let isGone = false;
  return new ReadableStream<Uint8Array>({
    start: async (controller) => {
      const failure = await ended;
      if (isGone) return;
      if (failure !== undefined) {
        onCut(failure);
        return controller.error(new BrokenBody(failure.message));
      }
      controller.enqueue(new TextEncoder().encode(json()));
      controller.close();
    },
    cancel: () => {
      isGone = true;
      onGone();
    },
  });
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
  const { worker, prefillWorker } = run.choices[0];
  if (worker !== undefined) call.headers.set("x-pixii-worker", workerRankText(worker));
  if (prefillWorker !== undefined) {
    call.headers.set("x-pixii-prefill-worker", workerRankText(prefillWorker));
  }
  call.headers.set("x-pixii-cached-tokens", `device=${device},host=${host},disk=${disk}`);
}

function clientGone(): Failure {
  return fail("cancelled", "The client went away before its answer was whole").error;
}
