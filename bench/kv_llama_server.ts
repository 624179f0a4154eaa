import type { Dev } from "./child.ts";
import { untilKvbm } from "./dev_admin.ts";
import { median } from "./figure.ts";
import type { Figure } from "./figure.ts";
import { startLlamaServer } from "./kv/llama_server.ts";
import {
  ask,
  mustComeFrom,
  openHouse,
  promptCells,
  promptLengths,
  tierPrompts,
  warmUp,
} from "./kv/tier_ttft.ts";
import { untilPromptsOnDisk } from "./kv_ttft.ts";

/** What llama-server's ways are measured on, and ours beside them. */
export interface KvLlamaServerOptions {
  /** Path of llama-server. */
  readonly peer: string;
  /** GGUF file of both. */
  readonly model: string;
  readonly rounds: number;
  readonly restarts: number;
  /** Hears of each figure as soon as it is known. */
  readonly onFigure: (figure: Figure) => void;
}

/** TTFTs of a prompt in milliseconds, by how it came. */
interface Ways {
  readonly cold: number[];
  readonly memory: number[];
  readonly disk: number[];
}

/**
 * The prompts as they are, then each with one more token. We use whole blocks of 64 tokens and always compute the last token: of a
 * prompt of whole blocks we compute 64 anew, of one that is a token longer just that one; llama-server computes one of both.
 */
const prompts = [0, 1].flatMap((more) =>
  tierPrompts.slice(0, promptLengths.length).map((prompt) => [...prompt, ...[777].slice(0, more)])
);
const noWays = (): readonly Ways[] => prompts.map(() => ({ cold: [], memory: [], disk: [] }));

/**
 * `kv.ttft_vs_llama_server.{cold,host,disk}.*`: our first tokens as a share of llama-server's on the same prompts and file, in
 * turns: computed; out of memory (there `--cache-ram`); from disk, everything of ours ended and started before (there a
 * saved slot that is taken back, plus the request; its process lives on and its file is in the page cache).
 */
export async function kvLlamaServerFigures(options: KvLlamaServerOptions): Promise<void> {
  const { model, rounds, restarts, onFigure } = options;
  const tell = (way: keyof Ways, name: string) => {
    for (const [i, { length }] of prompts.entries()) {
      // A prompt that is a token longer than one before it was never cold.
      if (way === "cold" && i >= promptLengths.length) continue;
      if (ours[i][way].length > 0) {
        onFigure(beside(`${name}.${length}`, ours[i][way], theirs[i][way]));
      }
    }
  };
  const folder = await Deno.makeTempDir({ prefix: "pixii-ttft-" });
  const [ours, theirs] = [noWays(), noWays()];
  try {
    await using server = await startLlamaServer(options.peer, { model, ctx: promptCells });
    const flags = ["--kv-disk", `2GiB:${folder}`];
    {
      await using dev = await openHouse(model, flags);
      await untilKvbm(dev);
      await warmUp(dev);
      for (const [i, prompt] of prompts.entries()) {
        ours[i].cold.push((await ask(dev, prompt)).ttftMs);
        theirs[i].cold.push(await server.ttft(prompt));
        await server.slot("save", `p${i}`);
      }
      for (let round = 0; round < rounds; round++) {
        for (const [i, prompt] of prompts.entries()) {
          ours[i].memory.push(await fromTier(dev, prompt, "host"));
          theirs[i].memory.push(await server.ttft(prompt));
        }
      }
      tell("cold", "cold");
      tell("memory", "host");
      if (restarts > 0) await untilPromptsOnDisk(dev, prompts);
    }
    for (let restart = 0; restart < restarts; restart++) {
      await using dev = await openHouse(model, flags);
      await untilKvbm(dev);
      await warmUp(dev);
      for (const [i, prompt] of prompts.entries()) {
        ours[i].disk.push(await fromTier(dev, prompt, "disk"));
        const restoredMs = await server.slot("restore", `p${i}`);
        theirs[i].disk.push(restoredMs + await server.ttft(prompt));
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  tell("disk", "disk");
}

/** TTFT of a prompt that must not be computed. What was read ahead counts as memory's. */
async function fromTier(
  dev: Dev,
  prompt: readonly number[],
  tier: "host" | "disk",
): Promise<number> {
  const { ttftMs, tiers } = await ask(dev, prompt);
  const { disk = 0, host = 0 } = tiers;
  mustComeFrom(tier, tier === "disk" ? { disk: disk + host } : tiers, prompt.length);
  return ttftMs;
}

function beside(what: string, ours: readonly number[], theirs: readonly number[]): Figure {
  const runs = ours.map((ms, i) => ms / theirs[i]);
  const ratio = median(runs);
  return {
    ...{ figure: `kv.ttft_vs_llama_server.${what}`, value: ratio, unit: "ratio", runs, ratio },
    ...{ better: "lower", anchorValue: median(theirs) },
    anchor: `llama-server, ms (ours ${median(ours).toFixed(1)})`,
  };
}
