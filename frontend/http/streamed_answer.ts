import type { Failure } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import { headJson } from "../openai/answer_head.ts";
import type { AnswerHead } from "../openai/answer_head.ts";
import { errorShape } from "../openai/error_shape.ts";
import { chatLogprobs, TextLogprobs } from "../openai/logprob_shape.ts";
import { usageShape } from "../openai/usage_shape.ts";
import { BytePipe } from "./byte_pipe.ts";
import type { GoneReason } from "./byte_pipe.ts";
import type { TokenDetail } from "./choice_text.ts";
import type { Outbox } from "./outbox.ts";
import type { AnswerWriter, RunUsage } from "./request_run.ts";

/** Bytes that wait for a slow client before its request is given up: some 4,000 chunks. */
export const mostBacklogBytes: number = 1024 * 1024;

const encoder = new TextEncoder();

/** What a streamed answer asks of its request. */
export interface StreamedOptions {
  readonly head: AnswerHead;
  readonly vocabulary: Vocabulary;
  readonly outbox: Outbox;
  readonly includeUsage: boolean;
  /** Texts that text completions repeat before their choices; one per choice, empty where not asked for. */
  readonly echoes: readonly string[];
  /** The client went away or does not read. */
  readonly onGone: (why: GoneReason) => void;
}

/**
 * Server-sent events of an answer. What every chunk repeats is encoded once; a chunk is bytes, text, bytes. Chunks are
 * written in the step frame's own turn: no timer, flush or promise per token.
 */
export class StreamedAnswer implements AnswerWriter {
  readonly #options: StreamedOptions;
  readonly #pipe: BytePipe;
  readonly #head: string;
  /** What ends every chunk: `usage: null` where the last one will carry it. */
  readonly #tail: string;
  /** Per choice, once it speaks: what stands before its text in a chunk without log-probabilities. */
  readonly #before: Uint8Array[] = [];
  readonly #logprobs: readonly TextLogprobs[];

  constructor(options: StreamedOptions) {
    const { head, echoes, outbox, vocabulary, onGone } = options;
    this.#options = options;
    this.#head = `data: ${headJson(head, true)},"choices":[{"index":`;
    this.#tail = options.includeUsage ? `}],"usage":null}\n\n` : "}]}\n\n";
    const close = head.kind === "chat" ? `"},` : `",`;
    const textEnd = encoder.encode(`${close}"logprobs":null,"finish_reason":null${this.#tail}`);
    this.#logprobs = head.kind === "text" && head.logprobs
      ? echoes.map((echo) => new TextLogprobs(vocabulary, echo.length))
      : [];
    const opening = echoes.map((echo, index) => this.#opening(index, echo)).join("");
    this.#pipe = new BytePipe({ outbox, opening, textEnd, onGone, mostBytes: mostBacklogBytes });
  }

  /** The answer's body. */
  get body(): ReadableStream<Uint8Array> {
    return this.#pipe.body;
  }

  text(index: number, text: string, details: readonly TokenDetail[] | undefined): void {
    if (details === undefined) {
      return this.#pipe.splice(this.#before[index] ??= this.#textStart(index), text);
    }
    const quoted = JSON.stringify(text);
    const said = this.#options.head.kind === "chat"
      ? `"delta":{"content":${quoted}},"logprobs":${
        JSON.stringify(chatLogprobs(this.#options.vocabulary, details))
      }`
      : `"text":${quoted},"logprobs":${JSON.stringify(this.#logprobs[index].next(details))}`;
    this.#pipe.write(this.#chunk(index, said));
  }

  finished(index: number, reason: "stop" | "length"): void {
    const empty = this.#options.head.kind === "chat" ? `"delta":{}` : `"text":""`;
    this.#pipe.write(this.#chunk(index, `${empty},"logprobs":null`, `"${reason}"`));
  }

  done(usage: RunUsage): void {
    if (this.#options.includeUsage) {
      const rest = JSON.stringify({ choices: [], usage: usageShape(usage) });
      this.#pipe.write(`data: ${headJson(this.#options.head, true)},${rest.slice(1)}\n\n`);
    }
    this.#pipe.write("data: [DONE]\n\n");
    this.#pipe.end();
  }

  /** An answer that broke has an `error` event for its end, and no `[DONE]`: cut text must not look whole. */
  failed(error: Failure): void {
    this.#pipe.write(`event: error\ndata: ${JSON.stringify(errorShape(error))}\n\n`);
    this.#pipe.end();
  }

  #textStart(index: number): Uint8Array {
    const start = this.#options.head.kind === "chat" ? `"delta":{"content":"` : `"text":"`;
    return encoder.encode(`${this.#head}${index},${start}`);
  }

  #opening(index: number, echo: string): string {
    if (this.#options.head.kind === "chat") {
      return this.#chunk(index, `"delta":{"role":"assistant","content":""},"logprobs":null`);
    }
    if (echo === "") return "";
    return this.#chunk(index, `"text":${JSON.stringify(echo)},"logprobs":null`);
  }

  #chunk(index: number, said: string, reason = "null"): string {
    return `${this.#head}${index},${said},"finish_reason":${reason}${this.#tail}`;
  }
}
