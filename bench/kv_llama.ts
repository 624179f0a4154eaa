import { BlockTrial } from "@pixii/workers/testing";
import { median } from "./figure.ts";
import type { Figure } from "./figure.ts";
import { startCCutter } from "./kv/c_cutter.ts";

/** What the rows with a real llama are measured on. */
export interface KvLlamaOptions {
  /** GGUF file. */
  readonly model: string;
  /** Tokens of the prompt, a multiple of 128. */
  readonly tokens: number;
  /** Rounds, interleaved. */
  readonly rounds: number;
}

/**
 * `kv.cut_vs_c`: the blocks of a prompt cut through our guarded calls, as a share of the speed of the same calls from C.
 * `kv.cut_checked`: the same with all that a worker adds: slots, checksum, header. `kv.restore_verified`: blocks taken back
 * with header, checksum, shape and tokens compared. Figures in GB/s are of the blocks' bytes (10^9).
 */
export async function kvLlamaFigures(options: KvLlamaOptions): Promise<readonly Figure[]> {
  const { model, tokens, rounds } = options;
  // The prompt, and the copy of it that is taken back.
  const cells = 2 * tokens + 256;
  await using c = await startCCutter({ model, tokens, cells });
  using trial = await BlockTrial.open(model, {
    ...{ tokens, cells, poolPath: `/dev/shm/pixii-trial-${Deno.pid}` },
    nowMs: () => performance.now(),
  });
  if (c !== undefined && c.blockBytes !== trial.blockBytes) {
    throw new Error(`blocks have ${c.blockBytes} bytes in C and ${trial.blockBytes} here`);
  }
  const gigabytes = trial.blocks * trial.blockBytes / 1e9;
  const speeds = {
    c: [] as number[],
    cut: [] as number[],
    keep: [] as number[],
    restore: [] as number[],
  };
  const timed = (work: () => void): number => {
    const startedMs = performance.now();
    work();
    return gigabytes / ((performance.now() - startedMs) / 1000);
  };
  for (let round = -1; round < rounds; round++) {
    const ms = await c?.cut();
    const cut = timed(() => trial.cut());
    const keep = timed(() => trial.keep());
    const restore = timed(() => trial.restore());
    // The first round warms up.
    if (round < 0) continue;
    if (ms !== undefined) speeds.c.push(gigabytes / (ms / 1000));
    speeds.cut.push(cut);
    speeds.keep.push(keep);
    speeds.restore.push(restore);
  }
  const figures: Figure[] = [];
  const speed = (figure: string, runs: readonly number[]): Figure => ({
    ...{ figure, value: median(runs), unit: "GB/s", better: "higher", runs },
  });
  if (speeds.c.length > 0) {
    const ratios = speeds.cut.map((value, i) => value / speeds.c[i]);
    figures.push({
      ...{ figure: "kv.cut_vs_c", value: median(ratios), unit: "ratio", better: "higher" },
      ...{ anchor: "the same llama calls from C, GB/s", anchorValue: median(speeds.c) },
      ...{ ratio: median(ratios), runs: ratios },
    });
  } else console.error("kv.cut_vs_c: no gcc on PATH, so there is nothing to compare with");
  figures.push(
    speed("kv.cut", speeds.cut),
    speed("kv.cut_checked", speeds.keep),
    speed("kv.restore_verified", speeds.restore),
  );
  return figures;
}
