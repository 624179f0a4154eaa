import type { Clock } from "@pixii/runtime";
import type { FrontendMetrics } from "../metrics.ts";
import type { AnswerKind } from "../openai/answer_head.ts";
import type { AnswerWriter, RunOptions, RunUsage } from "./request_run.ts";

const endpoints: Readonly<Record<AnswerKind, string>> = {
  chat: "chat_completions",
  text: "completions",
};

/** Measures one request from its whole body to the end of its answer; counts it exactly once. */
export class RunMeter {
  readonly #metrics: FrontendMetrics;
  readonly #clock: Clock;
  readonly #endpoint: string;
  readonly #startMs: number;
  #model = "";
  #firstMs: number | undefined;
  #isRunning = false;
  #isGone = false;

  constructor(
    metrics: FrontendMetrics,
    options: { readonly clock: Clock; readonly endpoint: AnswerKind },
  ) {
    this.#metrics = metrics;
    this.#clock = options.clock;
    this.#endpoint = endpoints[options.endpoint];
    this.#startMs = options.clock.nowMs();
  }

  /** The request was refused before any work. Its model is not named: it may be anything a client wrote. */
  refused(status: number): void {
    this.#metrics.requests.add(1, { endpoint: this.#endpoint, model: "", status: `${status}` });
  }

  /** The request begins to run. */
  begin(run: RunOptions): void {
    this.#isRunning = true;
    this.#model = run.model.name;
    this.#metrics.inflight.add(1, { endpoint: this.#endpoint });
    for (const prompt of run.prompts) {
      this.#metrics.inputTokens.observe(prompt.length, { model: this.#model });
    }
  }

  /** A writer that notes the first text on its way. */
  around(writer: AnswerWriter): AnswerWriter {
    return {
      text: (index, text, details) => {
        this.#firstMs ??= this.#clock.nowMs();
        writer.text(index, text, details);
      },
      finished: (index, reason) => writer.finished(index, reason),
      done: () => writer.done(),
      failed: (error) => writer.failed(error),
    };
  }

  /** The client left early or reads too slowly. */
  gone(why: "cancelled" | "slow"): void {
    if (this.#isGone || !this.#isRunning) return;
    this.#isGone = true;
    this.#metrics.disconnected.add(1, { why });
  }

  /** The end; later calls count nothing. */
  end(usage: RunUsage, status: number): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    const model = { model: this.#model };
    const { metrics } = { metrics: this.#metrics };
    const endMs = this.#clock.nowMs();
    metrics.inflight.add(-1, { endpoint: this.#endpoint });
    metrics.requests.add(1, { endpoint: this.#endpoint, ...model, status: `${status}` });
    metrics.outputTokens.observe(usage.completionTokens, model);
    metrics.cachedTokens.add(usage.cached.device + usage.cached.host + usage.cached.disk, model);
    metrics.duration.observe((endMs - this.#startMs) / 1000, model);
    if (this.#firstMs === undefined) return;
    metrics.firstToken.observe((this.#firstMs - this.#startMs) / 1000, model);
    if (usage.completionTokens < 2) return;
    const perToken = (endMs - this.#firstMs) / (usage.completionTokens - 1) / 1000;
    metrics.interToken.observe(perToken, model);
  }
}
