import { errors, fail, limits, ok } from "@pixii/wire";
import type { Failure, Overlap, RequestId, Result, RouteHints } from "@pixii/wire";
import type { Chance, Clock } from "@pixii/runtime";
import type { Vocabulary } from "../core/vocabulary.ts";
import type { ServedModel } from "../generation/model_directory.ts";
import type { Generator } from "../generation/stream.ts";
import type { CommonRequest } from "../openai/common_fields.ts";
import type { GoneReason } from "./byte_pipe.ts";
import { ChoiceText } from "./choice_text.ts";
import type { ChoiceEvents, TokenDetail } from "./choice_text.ts";

/** Longest prompt that fits a message to a worker beside everything else in it, in tokens of four bytes. */
export const longestPromptTokens: number = Math.floor((limits.messageBytes - 32 * 1024) / 4);

/** What shows the answer to the client: a stream, or a collector. Gets `done` or `failed` once, unless the client left. */
export interface AnswerWriter {
  /** More text of a choice. */
  text(index: number, text: string, details: readonly TokenDetail[] | undefined): void;
  /** A choice is done. */
  finished(index: number, reason: "stop" | "length"): void;
  /** All choices are done. */
  done(usage: RunUsage): void;
  /** The request failed; nothing follows. */
  failed(error: Failure): void;
}

/** What watches a run. `over` comes exactly once on every path, and last. */
export interface RunObserver {
  /** The first text of any choice. */
  firstText(): void;
  /** The client left, or reads too slowly. */
  gone(why: GoneReason): void;
  /** The end, with the HTTP status it has or would have had. */
  over(usage: RunUsage, status: number): void;
}

/** Token counts of a whole request. */
export interface RunUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cached: Overlap;
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
  /** The client's own bound; the frontend's counts where it is shorter. */
  readonly timeoutMs?: number;
}

/** Room for output beside a prompt, in tokens, or why there is none. */
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
  if (promptTokens > longestPromptTokens) {
    return fail(
      "payload_too_large",
      `The prompt must be at most ${longestPromptTokens} tokens, got ${promptTokens}. Shorten it.`,
      { param: "messages" },
    );
  }
  const room = contextLength - promptTokens;
  return ok(Math.min(wanted ?? room, room));
}

/** All choices of one request: started together, ended together, counted together. */
export class RequestRun implements ChoiceEvents {
  /** Resolves when the first choice is accepted or speaks, or the client left (`undefined`), or with the error where that came first. */
  readonly started: Promise<Failure | undefined>;
  /** Resolves when the first text came, or all is over. */
  readonly firstText: Promise<void>;
  readonly choices: readonly ChoiceText[];
  readonly #options: RunOptions;
  readonly #writer: AnswerWriter;
  readonly #observer: RunObserver;
  #open: number;
  #hasStarted = false;
  #hasText = false;
  #isOver = false;
  #onStarted: (error: Failure | undefined) => void = () => {};
  #onFirstText: () => void = () => {};

  constructor(options: RunOptions, writer: AnswerWriter, observer: RunObserver) {
    this.#options = options;
    this.#writer = writer;
    this.#observer = observer;
    this.started = new Promise((resolve) => this.#onStarted = resolve);
    this.firstText = new Promise((resolve) => this.#onFirstText = resolve);
    const { common, prompts, vocabulary } = options;
    this.#open = prompts.length * common.n;
    this.choices = Array.from(
      { length: this.#open },
      (_, index) => new ChoiceText({ index, vocabulary, stops: common.stops, events: this }),
    );
  }

  /** Starts every choice, unless the client has left already. */
  start(parts: RunParts): void {
    const { requestId, model, common, prompts, hints } = this.#options;
    const seed = common.seed ?? { hi: parts.chance.u32(), lo: parts.chance.u32() };
    const timeoutMs = Math.min(parts.requestTimeoutMs, this.#options.timeoutMs ?? Infinity);
    const deadlineMs = parts.clock.nowMs() + timeoutMs;
    for (const choice of this.choices) {
      if (this.#isOver) return;
      const tokens = prompts[Math.floor(choice.index / common.n)];
      const room = outputRoom(tokens.length, common.maxTokens, model.contextLength);
      if (!room.ok) return this.failed(choice.index, room.error);
      choice.attach(parts.generator.start(
        {
          ...{ requestId, model, tokens, hints, deadlineMs, choice: choice.index, tenantSalt: "" },
          sampling: { ...common.sampling, seedHi: seed.hi, seedLo: seed.lo },
          stop: {
            maxTokens: room.value,
            minTokens: common.minTokens,
            stopTokenIds: [...common.stopTokenIds],
            ignoreEos: common.ignoreEos,
          },
        },
        choice,
      ));
    }
  }

  /** Ends everything: the client is gone. Idempotent. */
  leave(why: GoneReason): void {
    if (this.#isOver) return;
    this.#observer.gone(why);
    this.#end(undefined, errors.cancelled.status);
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
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    this.#onStarted(undefined);
  }

  text(index: number, text: string, details: readonly TokenDetail[] | undefined): void {
    if (this.#isOver) return;
    if (!this.#hasText) {
      this.#hasText = true;
      this.#observer.firstText();
      this.#onFirstText();
    }
    this.#writer.text(index, text, details);
  }

  finished(index: number, reason: "stop" | "length"): void {
    if (this.#isOver) return;
    this.#writer.finished(index, reason);
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#writer.done(this.usage());
    this.#end(undefined, 200);
  }

  failed(_index: number, error: Failure): void {
    if (this.#isOver) return;
    this.#writer.failed(error);
    this.#end(error, errors[error.code].status);
  }

  /** The one place where a run ends. */
  #end(error: Failure | undefined, status: number): void {
    this.#isOver = true;
    for (const choice of this.choices) choice.abandon();
    this.#onStarted(error);
    this.#onFirstText();
    this.#observer.over(this.usage(), status);
  }
}
