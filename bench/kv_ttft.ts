import { routeHashes } from "@pixii/wire";
import { until, untilKvbm } from "./dev_admin.ts";
import type { Dev } from "./child.ts";
import { median } from "./figure.ts";
import type { Figure } from "./figure.ts";
import {
  ask,
  mustComeFrom,
  noTimes,
  openHouse,
  restoreSpeed,
  reusable,
  rowsOf,
  speedOf,
  tierPrompts,
  warmTimes,
  warmUp,
  withNewEnd,
} from "./kv/tier_ttft.ts";
import type { Times } from "./kv/tier_ttft.ts";

/** What the first tokens of prompts in memory and on disk are measured on. */
export interface KvTtftOptions {
  /** GGUF file of a model with a context of 4,352 tokens or more. */
  readonly model: string;
  readonly rounds: number;
  /** Restarts for the disk tier; 0 = no disk rows. */
  readonly restarts: number;
  readonly onFigure: (figure: Figure) => void;
}

const blockSize = 64;
const salt = { adapterDigest: "", tenantSalt: "" };

/** Host rows: all prompts cold, then in rounds out of the host tier, the same again and with another last token. */
async function hostTimes(dev: Dev, rounds: number): Promise<readonly Times[]> {
  const times = noTimes();
  for (const [i, prompt] of tierPrompts.entries()) {
    times[i].cold.push((await ask(dev, prompt)).ttftMs);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [i, prompt] of tierPrompts.entries()) {
      const first = await ask(dev, prompt);
      mustComeFrom("host", first.tiers, prompt.length);
      times[i].tier.push(first.ttftMs);
    }
    for (const [i, prompt] of tierPrompts.entries()) {
      const other = await ask(dev, withNewEnd(prompt, round));
      mustComeFrom("host", other.tiers, prompt.length);
      times[i].newEnd.push(other.ttftMs);
    }
  }
  return times;
}

/** Disk rows: everything is ended and started again; the first time a prompt is asked it comes from disk. */
async function diskTimes(options: KvTtftOptions, folder: string) {
  const times = noTimes();
  const speeds: number[] = [];
  for (let restart = 0; restart < options.restarts; restart++) {
    await using dev = await openHouse(options.model, ["--kv-disk", `2GiB:${folder}`]);
    await untilKvbm(dev);
    await warmUp(dev);
    for (const [i, prompt] of tierPrompts.entries()) {
      const first = await ask(dev, prompt);
      // What was read ahead, while the request was on its way, counts as memory's.
      const { disk = 0, host = 0 } = first.tiers;
      mustComeFrom("disk", { disk: disk + host }, prompt.length);
      times[i].tier.push(first.ttftMs);
    }
    speeds.push(await speedOf(dev, "disk"));
  }
  return { times, bytesPerSecond: median(speeds) };
}

/** Waits until these prompts' blocks are on disk but for a tenth: the last ends may be on the device only. */
export async function untilPromptsOnDisk(
  dev: Dev,
  prompts: readonly (readonly number[])[],
): Promise<void> {
  // Prompts that begin alike share blocks.
  const routes = prompts.flatMap((prompt) => {
    const maxBlocks = reusable(prompt.length) / blockSize;
    const { hi, lo } = routeHashes(prompt, { blockSize, maxBlocks, ...salt });
    return Array.from(hi, (word, i) => `${word}:${lo[i]}`);
  });
  const blocks = new Set(routes).size;
  await until(`${blocks} blocks are on disk`, async () => {
    const { admin } = dev.processes.find(({ service }) => service === "kvbm")!;
    const said = await (await fetch(`${admin}/kv`)).json();
    return said.disk.blocks >= 0.9 * blocks;
  });
}

/** `kv.ttft_over_model.host.*` and `.disk.*`, each told as soon as it is known. */
export async function kvTtftFigures(options: KvTtftOptions): Promise<void> {
  const { model, rounds, restarts, onFigure } = options;
  const speed = await restoreSpeed(model);
  const warm = await (async () => {
    await using dev = await openHouse(model, ["--worker.kvbm", "off"]);
    return await warmTimes(dev, rounds);
  })();
  const disk = await Deno.makeTempDir({ prefix: "pixii-ttft-" });
  try {
    {
      await using dev = await openHouse(model, restarts > 0 ? ["--kv-disk", `2GiB:${disk}`] : []);
      await untilKvbm(dev);
      const times = await hostTimes(dev, rounds);
      for (const one of rowsOf("host", { times, warm }, speed)) onFigure(one);
      if (restarts > 0) await untilPromptsOnDisk(dev, tierPrompts);
    }
    if (restarts === 0) return;
    const { times, bytesPerSecond } = await diskTimes(options, disk);
    const { blockBytes } = speed;
    for (const one of rowsOf("disk", { times, warm }, { blockBytes, bytesPerSecond })) {
      onFigure(one);
    }
  } finally {
    await Deno.remove(disk, { recursive: true });
  }
}
