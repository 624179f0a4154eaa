import type { Failure, Overlap, TokenLogprob, WorkerRank } from "@pixii/wire";
import { StopMatcher } from "../core/stop_strings.ts";
import type { Detokenizer, Vocabulary } from "../core/vocabulary.ts";
import type { StreamHandle, StreamOutcome, StreamSink } from "../generation/stream.ts";

/** One output token with its log-probability, for answers that show them. */
export interface TokenDetail {
  readonly token: number;
  readonly logprob: TokenLogprob;
}

/** What a choice tells its request. */
export interface ChoiceEvents {
  /** A worker took it, or more text came. Called before `text`. */
  begun(): void;
  /** More text; may be empty where only log-probabilities came. */
  text(index: number, text: string, details: readonly TokenDetail[] | undefined): void;
  /** Last call of a choice that worked. */
  finished(index: number, reason: "stop" | "length"): void;
  /** Last call of a choice that did not. */
  failed(index: number, error: Failure): void;
}

/** One choice: tokens of its stream become text, cut at stop strings. */
export class ChoiceText implements StreamSink {
  readonly index: number;
  /** Output tokens so far. */
  outputTokens = 0;
  cached: Overlap = { device: 0, host: 0, disk: 0 };
  worker: WorkerRank | undefined;
  /** Who computes its prompt, where that is another worker. */
  prefillWorker: WorkerRank | undefined;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher;
  readonly #events: ChoiceEvents;
  #handle: StreamHandle | undefined;
  #isOver = false;

  constructor(options: {
    readonly index: number;
    readonly vocabulary: Vocabulary;
    readonly stops: readonly string[];
    readonly events: ChoiceEvents;
  }) {
    this.index = options.index;
    this.#detokenizer = options.vocabulary.detokenizer();
    this.#stops = new StopMatcher(options.stops);
    this.#events = options.events;
  }

  /** Names the running stream, so that a stop string can end it. */
  attach(handle: StreamHandle): void {
    this.#handle = handle;
    if (this.#isOver) handle.cancel();
  }

  /** Ends the choice without a word: its client is gone. */
  abandon(): void {
    this.#isOver = true;
    this.#handle?.cancel();
  }

  accepted(worker: WorkerRank, prefill: WorkerRank | undefined): void {
    this.worker = worker;
    this.prefillWorker = prefill;
    if (!this.#isOver) this.#events.begun();
  }

  tokens(
    ids: readonly number[],
    logprobs: readonly TokenLogprob[] | undefined,
    cached: Overlap,
  ): void {
    if (this.#isOver) return;
    this.cached = cached;
    this.outputTokens += ids.length;
    this.#events.begun();
    const { text, stopped } = this.#stops.push(this.#detokenizer.push(ids));
    const details = logprobs?.map((logprob, i) => ({ token: ids[i], logprob }));
    if (text !== "" || details !== undefined) this.#events.text(this.index, text, details);
    if (!stopped) return;
    this.#isOver = true;
    this.#handle?.cancel();
    this.#events.finished(this.index, "stop");
  }

  end(outcome: StreamOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.cached = outcome.cached;
    this.worker = outcome.worker ?? this.worker;
    if (outcome.reason === "stop" || outcome.reason === "length") this.#flush(outcome.reason);
    else {
      const error = outcome.error ??
        { code: "cancelled" as const, message: "Cannot finish the answer: it was cancelled" };
      this.#events.failed(this.index, error);
    }
  }

  #flush(reason: "stop" | "length"): void {
    const { text, stopped } = this.#stops.push(this.#detokenizer.finish());
    const rest = stopped ? text : text + this.#stops.finish();
    if (rest !== "") this.#events.text(this.index, rest, undefined);
    this.#events.finished(this.index, stopped ? "stop" : reason);
  }
}
