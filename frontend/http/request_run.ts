import { fail, ok } from "@pixii/wire";
import type { Failure, RequestId, Result, RouteHints } from "@pixii/wire";
import type { Chance, Clock } from "@pixii/runtime";
import type { Vocabulary } from "../core/vocabulary.ts";
import type { ServedModel } from "../generation/model_directory.ts";
import type { Generator } from "../generation/stream.ts";
import type { CommonRequest } from "../openai/common_fields.ts";
import { ChoiceText } from "./choice_text.ts";
import type { ChoiceEvents, TokenDetail } from "./choice_text.ts";

/** What shows the answer to the client: a stream, or a collector. */
export interface AnswerWriter {
  /** More text of a choice. */
  text(index: number, text: string, details: readonly TokenDetail[] | undefined): void;
  /** A choice is done. */
  finished(index: number, reason: "stop" | "length"): void;
  /** All choices are done. */
  done(): void;
  /** The request failed; nothing follows. */
  failed(error: Failure): void;
}

/** Token counts of a whole request. */
export interface RunUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cached: { readonly device: number; readonly host: number; readonly disk: number };
}

/** What a run needs of the frontend. */
export interface RunParts {
  readonly generator: Generator;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly requestTimeoutMs: number;
}

/** What is to be run. */
export interface RunOptions {
  readonly requestId: RequestId;
  readonly model: ServedModel;
  readonly vocabulary: Vocabulary;
  readonly common: CommonRequest;
  /** One per prompt; choices are numbered prompt by prompt. */
  readonly prompts: readonly Uint32Array[];
  readonly hints: RouteHints;
}

/** Room for output beside a prompt, or why there is none. */
export function outputRoom(
  promptTokens: number,
  wanted: number | undefined,
  contextLength: number,
): Result<number> {
  if (promptTokens >= contextLength) {
    return fail(
      "context_length_exceeded",
      `This model's maximum context length is ${contextLength} tokens; the prompt has ${promptTokens}. Shorten it.`,
      { param: "messages" },
    );
  }
  const room = contextLength - promptTokens;
  return ok(Math.min(wanted ?? room, room));
}

/** All choices of one request: started together, ended together, counted together. */
export class RequestRun implements ChoiceEvents {
  /** Resolves when the first choice is accepted or speaks (`undefined`), or with the error where that came first. */
  readonly started: Promise<Failure | undefined>;
  /** Resolves when the first tokens came, or all is over. */
  readonly firstText: Promise<void>;
  readonly choices: readonly ChoiceText[];
  readonly #options: RunOptions;
  readonly #writer: AnswerWriter;
  #open: number;
  #isOver = false;
  #onStarted: (error: Failure | undefined) => void = () => {};
  #onFirstText: () => void = () => {};

  constructor(options: RunOptions, writer: AnswerWriter) {
    this.#options = options;
    this.#writer = writer;
    this.started = new Promise((resolve) => this.#onStarted = resolve);
    this.firstText = new Promise((resolve) => this.#onFirstText = resolve);
    const { common, prompts, vocabulary } = options;
    this.#open = prompts.length * common.n;
    this.choices = Array.from(
      { length: this.#open },
      (_, index) => new ChoiceText({ index, vocabulary, stops: common.stops, events: this }),
    );
  }

  /** Starts every choice. */
  start(parts: RunParts): void {
    const { requestId, model, common, prompts, hints } = this.#options;
    const seed = common.seed ?? { hi: parts.chance.u32(), lo: parts.chance.u32() };
    const deadlineMs = parts.clock.nowMs() + parts.requestTimeoutMs;
    for (const choice of this.choices) {
      if (this.#isOver) return;
      const tokens = prompts[Math.floor(choice.index / common.n)];
      const room = outputRoom(tokens.length, common.maxTokens, model.contextLength);
      if (!room.ok) return this.failed(choice.index, room.error);
      choice.attach(parts.generator.start(
        {
          requestId,
          model,
          tokens,
          choice: choice.index,
          sampling: { ...common.sampling, seedHi: seed.hi, seedLo: seed.lo },
          stop: {
            maxTokens: room.value,
            minTokens: common.minTokens,
            stopTokenIds: [...common.stopTokenIds],
            ignoreEos: common.ignoreEos,
          },
          tenantSalt: "",
          hints,
          deadlineMs,
        },
        choice,
      ));
    }
  }

  /** Ends everything: the client is gone. Idempotent. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const choice of this.choices) choice.abandon();
    this.#onStarted(undefined);
    this.#onFirstText();
  }

  /** Counts so far. */
  usage(): RunUsage {
    const { prompts, common } = this.#options;
    const cached = { device: 0, host: 0, disk: 0 };
    let completionTokens = 0;
    for (const choice of this.choices) {
      completionTokens += choice.outputTokens;
      // Later choices of a prompt reuse the first one's work; what was cached before is what the first one found.
      if (choice.index % common.n !== 0) continue;
      cached.device += choice.cached.device;
      cached.host += choice.cached.host;
      cached.disk += choice.cached.disk;
    }
    const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.length, 0);
    return { promptTokens, completionTokens, cached };
  }

  begun(): void {
    this.#onStarted(undefined);
  }

  text(index: number, text: string, details: readonly TokenDetail[] | undefined): void {
    if (this.#isOver) return;
    this.#onFirstText();
    this.#writer.text(index, text, details);
  }

  finished(index: number, reason: "stop" | "length"): void {
    if (this.#isOver) return;
    this.#onStarted(undefined);
    this.#writer.finished(index, reason);
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#isOver = true;
    this.#onFirstText();
    this.#writer.done();
  }

  failed(_index: number, error: Failure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const choice of this.choices) choice.abandon();
    this.#onStarted(error);
    this.#onFirstText();
    this.#writer.failed(error);
  }
}
