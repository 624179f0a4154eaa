import { bundledModel, smollm2Path } from "@pixii/workers/testing";
import { startDev } from "../child.ts";
import type { Dev } from "../child.ts";
import { metricOf, until, untilKvbm } from "../dev_admin.ts";
import { askOnce } from "./ask.ts";
import type { ProofAnswer } from "./ask.ts";
import type { ProofPrompt } from "./prompts.ts";

/** What every house of a proof is started with. */
export interface HouseOptions {
  /** A model as `deno task dev --model` takes it, without keys. */
  readonly model: string;
  readonly kvType: "f16" | "q8_0";
  /** Most tokens of prompt plus output, and as many cells. A multiple of 256. */
  readonly ctx: number;
  readonly kvHost: string;
}

/** Name that the model is served under. */
const served = "proof";

/** File of a model that the catalog knows by name. */
function modelPath(model: string): string {
  if (model === "smollm2") {
    const path = smollm2Path();
    if (path === undefined) throw new Error("SmolLM2 is not here; deno task models pull smollm2");
    return path;
  }
  return model.endsWith(".gguf") ? model : bundledModel(`${model}.gguf`);
}

/** The house as processes, asked one request at a time. */
export class House implements AsyncDisposable {
  readonly dev: Dev;
  readonly options: HouseOptions;

  private constructor(dev: Dev, options: HouseOptions) {
    this.dev = dev;
    this.options = options;
  }

  /**
   * Starts it with `flags` more. A worker has one thread and one sequence and keeps no prompt beside it: every prompt lies at
   * the beginning of an empty cache, since the order in which rows lie there changes the last bits of what is computed.
   */
  static async open(options: HouseOptions, flags: readonly string[]): Promise<House> {
    const { model, kvType, ctx, kvHost } = options;
    const dev = await startDev([
      ...["--topology", "auto", "--model", model, "--served-name", served, "--threads", "1"],
      ...[
        "--max-seqs",
        "1",
        "--worker.kv-kept",
        "0",
        "--ctx",
        `${ctx}`,
        "--worker.deterministic",
        "--kv-type",
        kvType,
      ],
      ...["--kv-host", kvHost, ...flags],
    ]);
    return new House(dev, options);
  }

  /** Sends a prompt. */
  ask(
    { text, maxTokens, temperature, seed }: ProofPrompt,
    options: {
      readonly isVoiced?: boolean;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<ProofAnswer> {
    const { isVoiced = true, headers } = options;
    const ask = { model: served, prompt: text, maxTokens, temperature, seed, isVoiced, headers };
    return askOnce(this.dev.url, ask);
  }

  /** Waits until every worker uses a kvbm. */
  untilTier(): Promise<void> {
    return untilKvbm(this.dev);
  }

  /** Flags of one more worker of its model. */
  workerFlags(): readonly string[] {
    const { model, kvType, ctx } = this.options;
    return [
      ...["--model", modelPath(model), "--served-name", served, "--threads", "1"],
      ...["--max-seqs", "1", "--kv-kept", "0", "--ctx", `${ctx}`, "--deterministic"],
      ...["--kv-type", kvType],
    ];
  }

  /** Waits until the frontend counts so many workers. */
  async untilWorkers(count: number): Promise<void> {
    await until(`${count} workers serve`, async () => {
      const health = await (await fetch(`${this.dev.url}/health`)).json();
      return (health.details?.models?.[served]?.workers ?? 0) >= count;
    });
  }

  /** Its processes of one service. */
  of(service: string): Dev["processes"] {
    return this.dev.processes.filter((one) => one.service === service);
  }

  /** Sum of a metric over all processes of a service and all label sets that hold `label`. */
  metric(service: string, name: string, label = ""): Promise<number> {
    return metricOf(this.dev, service, { name, labels: [label] });
  }

  /** Waits until the disk tier has written what it is to write. */
  async untilWritten(): Promise<void> {
    let blocks = -1;
    await until("the disk tier has written all", async () => {
      const before = blocks;
      const queue = await this.metric("kvbm", "pixii_kvbm_tier_queue", 'direction="write"');
      blocks = await this.metric("kvbm", "pixii_kvbm_tier_used_bytes", 'tier="disk"');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return queue === 0 && blocks > 0 && blocks === before;
    });
  }

  /** Waits until prompts are split. */
  async untilSplit(): Promise<void> {
    let seed = 0;
    await until("the router splits", async () => {
      const prompt = Array.from({ length: 130 }, (_, i) => 20 + (i * 31 + 7 * seed) % 300);
      seed += 1;
      const ask = { model: served, prompt, maxTokens: 2, temperature: 0, seed: 0, isVoiced: false };
      return (await askOnce(this.dev.url, ask)).prefillWorker !== undefined;
    });
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.dev[Symbol.asyncDispose]();
  }
}
