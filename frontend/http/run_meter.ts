import type { Clock } from "@pixii/runtime";
import type { FrontendMetrics } from "../metrics.ts";
import type { AnswerKind } from "../openai/answer_head.ts";
import type { GoneReason } from "./byte_pipe.ts";
import type { RunObserver, RunOptions, RunUsage } from "./request_run.ts";

const endpoints: Readonly<Record<AnswerKind, string>> = {
  chat: "chat_completions",
  text: "completions",
};

/** Measures one request from its whole body to the end of its answer; counts it exactly once. */
export class RunMeter implements RunObserver {
  readonly #metrics: FrontendMetrics;
  readonly #clock: Clock;
  readonly #endpoint: string;
  readonly #startMs: number;
  #model = "";
  #firstMs: number | undefined;

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

  /** The request begins to run; `over` must follow. */
  begin(run: RunOptions): void {
    this.#model = run.model.name;
    this.#metrics.inflight.add(1, { endpoint: this.#endpoint });
    for (const prompt of run.prompts) {
      this.#metrics.inputTokens.observe(prompt.length, { model: this.#model });
    }
  }

  firstText(): void {
    this.#firstMs = this.#clock.nowMs();
  }

  gone(why: GoneReason): void {
    this.#metrics.disconnected.add(1, { why });
  }

  over(usage: RunUsage, status: number): void {
    const metrics = this.#metrics;
    const model = { model: this.#model };
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
