import type { Failure } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import { headJson } from "../openai/answer_head.ts";
import type { AnswerHead } from "../openai/answer_head.ts";
import { chatLogprobs, TextLogprobs } from "../openai/logprob_shape.ts";
import { usageShape } from "../openai/usage_shape.ts";
import type { TokenDetail } from "./choice_text.ts";
import type { AnswerWriter, RunUsage } from "./request_run.ts";

interface Collected {
  text: string;
  details: TokenDetail[];
  reason: string;
}

/** Collects an answer that is sent as one JSON body. */
export class CollectedAnswer implements AnswerWriter {
  /** Resolves when the answer is whole, or with why it is not. */
  readonly whole: Promise<Failure | undefined>;
  readonly #head: AnswerHead;
  readonly #vocabulary: Vocabulary;
  readonly #choices: Collected[];
  #onWhole: (error: Failure | undefined) => void = () => {};

  /** `echoes` are the texts that text completions repeat before their choices; empty where not asked for. */
  constructor(head: AnswerHead, vocabulary: Vocabulary, echoes: readonly string[]) {
    this.#head = head;
    this.#vocabulary = vocabulary;
    this.#choices = echoes.map((text) => ({ text, details: [], reason: "length" }));
    this.whole = new Promise((resolve) => this.#onWhole = resolve);
  }

  text(index: number, text: string, details: readonly TokenDetail[] | undefined): void {
    this.#choices[index].text += text;
    if (details !== undefined) {
      for (const one of details) {
        this.#choices[index].details.push(one);
      }
    }
  }

  finished(index: number, reason: "stop" | "length"): void {
    this.#choices[index].reason = reason;
  }

  done(): void {
    this.#onWhole(undefined);
  }

  failed(error: Failure): void {
    this.#onWhole(error);
  }

  /** The body. */
  json(usage: RunUsage): string {
    const choices = this.#choices.map((choice, index) =>
      this.#head.kind === "chat" ? this.#chatChoice(choice, index) : this.#textChoice(choice, index)
    );
    const rest = JSON.stringify({ choices, usage: usageShape(usage) });
    return `${headJson(this.#head, false)},${rest.slice(1)}`;
  }

  #chatChoice(choice: Collected, index: number): Record<string, unknown> {
    return {
      index,
      message: { role: "assistant", content: choice.text, refusal: null },
      logprobs: this.#head.logprobs ? chatLogprobs(this.#vocabulary, choice.details) : null,
      finish_reason: choice.reason,
    };
  }

  #textChoice(choice: Collected, index: number): Record<string, unknown> {
    const logprobs = () => new TextLogprobs(this.#vocabulary, 0).next(choice.details);
    return {
      index,
      text: choice.text,
      logprobs: this.#head.logprobs ? logprobs() : null,
      finish_reason: choice.reason,
    };
  }
}
