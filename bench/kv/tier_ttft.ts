import { BlockTrial } from "@pixii/workers/testing";
import { startDev } from "../child.ts";
import type { Dev } from "../child.ts";
import { metricOf } from "../dev_admin.ts";
import { median } from "../figure.ts";
import type { Figure } from "../figure.ts";
import { firstToken } from "./first_token.ts";
import type { FirstToken } from "./first_token.ts";

const served = "bench";
const blockSize = 64;
/** Cells of a worker: as many as the longest prompt needs, so that each drives another out. */
export const promptCells = 4352;
/** Lengths of the prompts whose first token is waited for, in tokens. */
export const promptLengths = [512, 2048, 4096] as const;
/** The prompts, then one more as long as the longest: it drives that one out. */
export const tierPrompts: readonly (readonly number[])[] = [...promptLengths, 4096].map((
  length,
  seed,
) =>
  Array.from({ length }, (_, i) => 20 + (Math.imul(i + 1 + 7001 * seed, 0x9e3779b1) >>> 9) % 2000)
);
/** Lowest of the tokens that prompts end with whose end is new. */
const newEndsFrom = 5_000;
/** What the model of a TTFT allows beside copying. */
const slackMs = 3;
const copyFactor = 1.2;

/** TTFTs of one prompt, in milliseconds. */
export interface Times {
  readonly cold: number[];
  readonly tier: number[];
  /** Its blocks from the tier, and another last token each time: the end is computed, as on the device. */
  readonly newEnd: number[];
  readonly warm: number[];
}

/** Room for the times of every prompt. */
export function noTimes(): readonly Times[] {
  return tierPrompts.map(() => ({ cold: [], tier: [], newEnd: [], warm: [] }));
}

/** The same prompt with another last token, for every round another one. */
export function withNewEnd(prompt: readonly number[], round: number): readonly number[] {
  return [...prompt.slice(0, -1), newEndsFrom + round];
}

/** Sends a prompt and waits for its first token, and for its end. */
export function ask(
  { url }: Pick<Dev, "url">,
  prompt: readonly number[],
  { model = served, headers }: {
    readonly model?: string;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<FirstToken> {
  const body = { model, prompt, max_tokens: 4, temperature: 0, stream: true, ignore_eos: true };
  const isFirst = (data: string) =>
    data.startsWith("{") && (JSON.parse(data).choices?.[0]?.text ?? "") !== "";
  return firstToken(`${url}/v1/completions`, { body, headers, isFirst });
}

/** Starts a house of one worker of one sequence. */
export function openHouse(model: string, flags: readonly string[]): Promise<Dev> {
  return startDev([
    ...["--topology", "processes", "--model", model, "--served-name", served, "--threads", "1"],
    ...["--max-seqs", "1", "--ctx", `${promptCells}`, "--kv-host", "1GiB"],
    ...flags,
  ]);
}

/** A prompt of nobody else's, so that what follows is not the first request of programs that have just started. */
export async function warmUp(dev: Dev): Promise<void> {
  await ask(dev, Array.from({ length: 100 }, (_, i) => 300 + i % 50));
}

/** Reusable tokens of a prompt: the last token is always computed. */
export function reusable(length: number): number {
  return Math.floor((length - 1) / blockSize) * blockSize;
}

/** Throws where a prompt was computed. */
export function mustComeFrom(tier: string, tiers: FirstToken["tiers"], length: number): void {
  if ((tiers[tier] ?? 0) >= reusable(length) - blockSize) return;
  throw new Error(`a prompt of ${length} tokens came from ${JSON.stringify(tiers)}, not ${tier}`);
}

/**
 * The warm slot: a house without tiers, each prompt computed once and then asked again. Over a host tier a worker keeps
 * finished prompts there and not in its cache, so that it has no warm slot of its own.
 */
export async function warmTimes(dev: Dev, rounds: number): Promise<readonly Times[]> {
  const times = noTimes();
  for (const [i, prompt] of tierPrompts.slice(0, promptLengths.length).entries()) {
    times[i].cold.push((await ask(dev, prompt)).ttftMs);
    for (let round = 0; round < rounds; round++) {
      const again = await ask(dev, prompt);
      mustComeFrom("device", again.tiers, prompt.length);
      times[i].warm.push(again.ttftMs);
    }
  }
  return times;
}

/** Bytes a second that a tier was read with, as its kvbm measured it. */
export async function speedOf(dev: Pick<Dev, "processes">, tier: "disk" | "peer"): Promise<number> {
  const of = tier === "peer" ? { name: "pixii_kvbm_peer_bytes_per_second" } : {
    name: "pixii_kvbm_tier_bytes_per_second",
    labels: ['direction="read"', 'tier="disk"'],
  };
  const speed = await metricOf(dev, "kvbm", of);
  if (!(speed > 0)) throw new Error(`the kvbm tells no speed of ${tier}`);
  return speed;
}

/**
 * Figures of a tier: TTFT beside what the model of it allows, which is the TTFT of the same prompt on the device, plus 1.2 x
 * its bytes / the tier's bandwidth, plus 3 ms. The device computes the prompt's last block, up to 64 tokens; out of a tier
 * the same prompt computes nothing (its end is there), and with another last token the same as on the device.
 */
export function rowsOf(
  tier: string,
  { times, warm }: { readonly times: readonly Times[]; readonly warm: readonly Times[] },
  { blockBytes, bytesPerSecond }: { readonly blockBytes: number; readonly bytesPerSecond: number },
): readonly Figure[] {
  return promptLengths.flatMap((length, i) => {
    const bytes = blockBytes * reusable(length) / blockSize;
    const warmMs = median(warm[i].warm);
    const modelMs = warmMs + 1000 * copyFactor * bytes / bytesPerSecond + slackMs;
    const said = `warm ${warmMs.toFixed(1)} ms, computed ${median(warm[i].cold).toFixed(0)} ms` +
      `, ${(bytes / 1e6).toFixed(0)} MB at ${(bytesPerSecond / 1e9).toFixed(2)} GB/s`;
    const beside = (name: string, runs: readonly number[]): Figure[] => [{
      ...{ figure: `kv.${name}_over_model.${tier}.${length}`, value: median(runs) / modelMs },
      ...{ unit: "ratio", better: "lower" as const, anchor: `model, ms (${said})` },
      ...{ anchorValue: modelMs, ratio: median(runs) / modelMs },
      runs: runs.map((ms) => ms / modelMs),
    }, {
      ...{ figure: `kv.${name}.${tier}.${length}`, value: median(runs), unit: "ms" },
      ...{ better: "lower" as const, runs },
    }];
    const { tier: again, newEnd } = times[i];
    return [
      ...beside("ttft", again),
      ...newEnd.length === 0 ? [] : beside("ttft_new_end", newEnd),
    ];
  });
}

/** The host tier's bandwidth: blocks taken back with everything compared. */
export async function restoreSpeed(
  model: string,
): Promise<{ readonly blockBytes: number; readonly bytesPerSecond: number }> {
  const tokens = 512;
  using trial = await BlockTrial.open(model, {
    ...{ tokens, cells: 2 * tokens + 256, poolPath: `/dev/shm/pixii-trial-${Deno.pid}` },
    nowMs: () => performance.now(),
  });
  trial.keep();
  const runs: number[] = [];
  for (let i = 0; i < 7; i++) {
    const startedMs = performance.now();
    trial.restore();
    runs.push(trial.blocks * trial.blockBytes / ((performance.now() - startedMs) / 1000));
  }
  return { blockBytes: trial.blockBytes, bytesPerSecond: median(runs) };
}
