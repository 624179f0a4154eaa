import { until } from "./dev_admin.ts";
import type { Figure } from "./figure.ts";
import {
  ask,
  mustComeFrom,
  noTimes,
  openHouse,
  promptCells,
  promptLengths,
  restoreSpeed,
  reusable,
  rowsOf,
  speedOf,
  tierPrompts,
  warmTimes,
  withNewEnd,
} from "./kv/tier_ttft.ts";
import { House, startFarHost } from "./proof/mod.ts";

/** What the first tokens of prompts that another host's kvbm holds are measured on. */
export interface KvTtftPeerOptions {
  /** GGUF file of a model with a context of 4,352 tokens or more. */
  readonly model: string;
  readonly rounds: number;
}

/**
 * `kv.ttft_over_model.peer.*`: a worker of another host computed the prompts; ours is asked for them, its kvbm pulls them over
 * TCP, and drops them again for the next round; then the same with another last token. Throws where less than all but one block
 * came that way, or where they came and were computed all the same.
 */
export async function kvTtftPeerFigures(options: KvTtftPeerOptions): Promise<readonly Figure[]> {
  const { model, rounds } = options;
  const { blockBytes } = await restoreSpeed(model);
  const warm = await (async () => {
    await using dev = await openHouse(model, ["--worker.kvbm", "off"]);
    return await warmTimes(dev, rounds);
  })();
  const house = { model, kvType: "f16", ctx: promptCells, kvHost: "1GiB" } as const;
  await using near = await House.open(house, []);
  const [{ instance }] = near.of("worker");
  await using far = await startFarHost(near, "both");
  await near.untilTier();
  const times = noTimes();
  const prompts = tierPrompts.slice(0, promptLengths.length);
  const by = (worker: string) => ({ model: "proof", headers: { "x-pixii-worker": worker } });
  for (const prompt of prompts) await ask(near.dev, prompt, by(far.worker));
  const pulled = () => near.metric("kvbm", "pixii_kvbm_peer_blocks_total", 'way="in"');
  const timed = async (prompt: readonly number[]) => {
    const before = await pulled();
    const { ttftMs, tiers } = await ask(near.dev, prompt, by(instance));
    const blocks = await pulled() - before;
    if (blocks < reusable(prompt.length) / 64 - 1) {
      throw new Error(`${blocks} blocks of a prompt of ${prompt.length} tokens were pulled`);
    }
    // What landed before the worker asked counts as memory's.
    mustComeFrom("peer", { peer: (tiers.disk ?? 0) + (tiers.host ?? 0) }, prompt.length);
    return ttftMs;
  };
  for (let round = 0; round < rounds; round++) {
    for (const [i, prompt] of prompts.entries()) times[i].tier.push(await timed(prompt));
    await dropAll(near);
    for (const [i, prompt] of prompts.entries()) {
      times[i].newEnd.push(await timed(withNewEnd(prompt, round)));
    }
    await dropAll(near);
  }
  const bytesPerSecond = await speedOf(near.dev, "peer");
  return rowsOf("peer", { times, warm }, { blockBytes, bytesPerSecond });
}

/** Blocks that a worker's device may keep of prompts that are over, beside a host tier: one in 32. */
const mostKept = Math.ceil(promptCells / 64 / 32);

/** The near host forgets all blocks, once its device has given up the last prompt's: it would hand them down again. */
async function dropAll(house: House): Promise<void> {
  await until(`the worker keeps ${mostKept} blocks`, async () => {
    const kept = await house.metric("worker", "pixii_worker_kv_blocks", 'state="cached"');
    const active = await house.metric("worker", "pixii_worker_kv_blocks", 'state="active"');
    return active === 0 && kept <= mostKept;
  });
  const [{ admin }] = house.of("kvbm");
  const response = await fetch(`${admin}/kv/drop?all=1`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  if (!response.ok) throw new Error(await response.text());
  await response.body?.cancel();
}
