import { complete, uniquePrompt } from "./chat_client.ts";
import { startDev } from "./child.ts";
import { metricOf, untilKvbm } from "./dev_admin.ts";
import type { Figure } from "./figure.ts";

/** What the row of prompts that nobody can reuse is measured on. */
export interface KvNoReuseOptions {
  /** A model as `deno task dev` takes it. */
  readonly model: string;
  readonly prompts: number;
}

/** A prompt's words, and tokens that answer it. */
const words = 300;
const outputTokens = 32;
/** Prompts at a time. */
const lanes = 2;

/**
 * `kv.noreuse_tax`: the part of a worker's steps that goes into blocks (deciding which leave, cutting, checksums, headers)
 * while no prompt ever repeats, so that all of it is for nothing. By the worker's own clock, on the engine's thread.
 * Beside it the bytes it moved.
 */
export async function kvNoReuseFigures(options: KvNoReuseOptions): Promise<readonly Figure[]> {
  const served = "bench";
  await using dev = await startDev([
    ...["--topology", "processes", "--model", options.model, "--served-name", served],
    ...["--threads", "1", "--max-seqs", "4", "--ctx", "2048", "--kv-host", "1GiB"],
  ]);
  await untilKvbm(dev);
  const one = (seed: number) =>
    complete(dev.url, {
      ...{ model: served, prompt: uniquePrompt(words, seed), max_tokens: outputTokens },
      ...{ temperature: 0, ignore_eos: true },
    });
  await one(1);
  const metric = (name: string, label: string) =>
    metricOf(dev, "worker", { name, labels: [label] });
  const read = async (): Promise<readonly number[]> =>
    await Promise.all([
      metric("pixii_worker_host_step_seconds_total", 'part="blocks"'),
      metric("pixii_worker_host_step_seconds_total", 'part="all"'),
      metric("pixii_worker_host_blocks_total", 'event="offloaded"'),
      metric("pixii_worker_host_blocks_total", 'event="onboarded"'),
    ]);
  const before = await read();
  let next = 2;
  const lane = async () => {
    while (next < options.prompts + 2) await one(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const after = await read();
  const [blocks, all, offloaded, onboarded] = after.map((value, i) => value - before[i]);
  if (onboarded > 0 || offloaded === 0) {
    throw new Error(`${offloaded} blocks were kept and ${onboarded} taken back: not this case`);
  }
  return [{
    ...{ figure: "kv.noreuse_tax", value: blocks / all, unit: "ratio", better: "lower" },
    ...{ anchor: "all steps, s", anchorValue: all, ratio: blocks / all },
  }, {
    ...{ figure: "kv.noreuse_per_block", value: 1_000 * blocks / offloaded, unit: "ms" },
    better: "lower",
  }];
}
