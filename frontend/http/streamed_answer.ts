import type { Failure } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import { headJson } from "../openai/answer_head.ts";
import type { AnswerHead } from "../openai/answer_head.ts";
import { errorShape } from "../openai/error_shape.ts";
import { chatLogprob, textLogprobs } from "../openai/logprob_shape.ts";
import { usageShape } from "../openai/usage_shape.ts";
import type { TokenDetail } from "./choice_text.ts";
import type { AnswerWriter, RunUsage } from "./request_run.ts";

/** Bytes that wait for a slow client before its request is given up. */
export const mostBacklogBytes: number = 4 * 1024 * 1024;

const encoder = new TextEncoder();

/** What a streamed answer asks of its request. */
export interface StreamedOptions {
  readonly head: AnswerHead;
  readonly vocabulary: Vocabulary;
  readonly includeUsage: boolean;
  /** Texts that text completions repeat before their choices; one per choice, empty where not asked for. */
  readonly echoes: readonly string[];
  readonly usage: () => RunUsage;
  /** The client went away or does not read. */
  readonly onGone: (why: "cancelled" | "slow") => void;
}

/**
 * Server-sent events of an answer. Chunks are enqueued from the step frame's own turn: no timer, flush or promise per
 * token; the server coalesces what is ready into few writes.
 */
export class StreamedAnswer implements AnswerWriter {
  readonly body: ReadableStream<Uint8Array>;
  readonly #options: StreamedOptions;
  readonly #before: string;
  /** What ends every chunk: `usage: null` where the last one will carry it. */
  readonly #after: string;
  readonly #offsets: number[];
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #isOver = false;

  constructor(options: StreamedOptions) {
    this.#options = options;
    this.#before = `data: ${headJson(options.head, true)},"choices":[{"index":`;
    this.#after = options.includeUsage ? `}],"usage":null}\n\n` : "}]}\n\n";
    this.#offsets = options.echoes.map((text) => text.length);
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#gone("cancelled"),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 65_536 }),
    );
    options.echoes.forEach((text, index) => this.#open(index, text));
  }

  text(index: number, text: string, details: readonly TokenDetail[] | undefined): void {
    const { head, vocabulary } = this.#options;
    if (head.kind === "chat") {
      const logprobs = details === undefined ? "null" : JSON.stringify({
        content: details.map((one) => chatLogprob(vocabulary, one)),
        refusal: null,
      });
      this.#chunk(
        index,
        `"delta":{"content":${JSON.stringify(text)}},"logprobs":${logprobs}`,
        "null",
      );
      return;
    }
    const offset = this.#offsets[index];
    const logprobs = details === undefined
      ? "null"
      : JSON.stringify(textLogprobs(vocabulary, details, offset));
    this.#offsets[index] = offset + text.length;
    this.#chunk(index, `"text":${JSON.stringify(text)},"logprobs":${logprobs}`, "null");
  }

  finished(index: number, reason: "stop" | "length"): void {
    const empty = this.#options.head.kind === "chat" ? `"delta":{}` : `"text":""`;
    this.#chunk(index, `${empty},"logprobs":null`, JSON.stringify(reason));
  }

  done(): void {
    if (this.#options.includeUsage) {
      const rest = JSON.stringify({ choices: [], usage: usageShape(this.#options.usage()) });
      this.#send(`data: ${headJson(this.#options.head, true)},${rest.slice(1)}\n\n`);
    }
    this.#close();
  }

  failed(error: Failure): void {
    this.#send(`data: ${JSON.stringify(errorShape(error))}\n\n`);
    this.#close();
  }

  #open(index: number, echo: string): void {
    if (this.#options.head.kind === "chat") {
      this.#chunk(index, `"delta":{"role":"assistant","content":""},"logprobs":null`, "null");
    } else if (echo !== "") {
      this.#chunk(index, `"text":${JSON.stringify(echo)},"logprobs":null`, "null");
    }
  }

  #chunk(index: number, middle: string, reason: string): void {
    this.#send(`${this.#before}${index},${middle},"finish_reason":${reason}${this.#after}`);
  }

  #send(text: string): void {
    if (this.#isOver) return;
    this.#controller.enqueue(encoder.encode(text));
    if ((this.#controller.desiredSize ?? 0) > -mostBacklogBytes) return;
    this.#controller.error(new Error("the client reads too slowly"));
    this.#gone("slow");
  }

  #close(): void {
    if (this.#isOver) return;
    this.#send("data: [DONE]\n\n");
    this.#isOver = true;
    this.#controller.close();
  }

  #gone(why: "cancelled" | "slow"): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onGone(why);
  }
}
