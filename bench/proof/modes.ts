import type { ProofAnswer } from "./ask.ts";
import { startFarHost } from "./far_host.ts";
import { House } from "./house.ts";
import type { HouseOptions } from "./house.ts";
import type { ProofPrompt } from "./prompts.ts";

/** What a mode runs with. */
export interface ModeRun {
  readonly house: HouseOptions;
  readonly prompts: readonly ProofPrompt[];
  /** Prompts that are sent before the first of them is sent again. */
  readonly groupSize: number;
  /** Size of a disk tier. */
  readonly diskSize: string;
  /** An answer that must equal that of the monolithic house. */
  take(prompt: number, answer: ProofAnswer): void;
}

/** Another way to come by the same tokens. */
export interface ProofMode {
  readonly name: string;
  /** What happens, for people. */
  readonly about: string;
  /** Answers it takes per prompt. */
  readonly answers: number;
  /** Runs it; resolves with the prompt tokens that came by the way it is about. 0 = it has proved nothing. */
  run(run: ModeRun): Promise<number>;
}

/** The house that the others are compared with: one worker, no tier below its own cache. */
export const monolithic: ProofMode = {
  name: "monolithic",
  about: "one worker, no tiers, every prompt computed",
  answers: 1,
  async run(run) {
    await using one = await House.open(run.house, ["--worker.kvbm", "off"]);
    await pass(one, run);
    return Infinity;
  },
};

/** Sends all prompts in order; resolves with the sum of what `used` says of each answer. */
async function pass(
  house: House,
  options: Pick<ModeRun, "prompts" | "take"> & {
    readonly used?: (answer: ProofAnswer) => number;
    readonly ask?: Parameters<House["ask"]>[1];
  },
): Promise<number> {
  const { prompts, take, used = () => 0, ask } = options;
  let sum = 0;
  for (const [at, prompt] of prompts.entries()) {
    const answer = await house.ask(prompt, ask);
    take(at, answer);
    sum += used(answer);
  }
  return sum;
}

const fromTier = (tier: string) => ({ tiers }: ProofAnswer) => tiers[tier] ?? 0;

const hostTier: ProofMode = {
  name: "host",
  about: "host tier: computed, driven out of the device, taken back from shared memory",
  answers: 2,
  async run({ house, prompts, groupSize, take }) {
    await using one = await House.open(house, []);
    await one.untilTier();
    let used = 0;
    for (let first = 0; first < prompts.length; first += groupSize) {
      const group = {
        prompts: prompts.slice(first, first + groupSize),
        take: (at: number, answer: ProofAnswer) => take(first + at, answer),
      };
      await pass(one, group);
      used += await pass(one, { ...group, used: fromTier("host") });
    }
    return used;
  },
};

const diskTier: ProofMode = {
  name: "disk",
  about: "disk tier: computed, everything ended and started again, taken from disk",
  answers: 2,
  async run(run) {
    const folder = await Deno.makeTempDir({ prefix: "pixii-proof-" });
    const flags = ["--kv-disk", `${run.diskSize}:${folder}`];
    try {
      {
        await using one = await House.open(run.house, flags);
        await one.untilTier();
        await pass(one, run);
        await one.untilWritten();
      }
      await using one = await House.open(run.house, flags);
      await one.untilTier();
      await pass(one, run);
      // Not by the answers: what was read while a request was on its way counts there as memory's.
      return 64 * await one.metric("kvbm", "pixii_kvbm_tier_hits_total", 'tier="disk"');
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

const splitByMemory: ProofMode = {
  name: "split-shm",
  about: "disaggregated: one worker computes the prompt, another goes on; over shared memory",
  answers: 1,
  async run(run) {
    const flags = ["--prefill", "1", "--decode", "1", ...splitFlags];
    await using one = await House.open(run.house, flags);
    await one.untilTier();
    await one.untilSplit();
    return await pass(one, { ...run, used: splitTokens, ask: { isVoiced: false } });
  },
};

/** Every prompt goes to a prefill worker, however short. */
const splitFlags = [
  ...["--router.split-mode", "always", "--router.split-max-local-prefill-length", "0"],
];

function splitTokens({ prefillWorker, promptTokens }: ProofAnswer): number {
  return prefillWorker === undefined ? 0 : promptTokens;
}

const splitByTcp: ProofMode = {
  name: "split-tcp",
  about: "disaggregated: a prefill worker and its kvbm on another host, over TCP",
  answers: 1,
  async run(run) {
    await using one = await House.open(run.house, [...splitFlags, "--router.split-across-hosts"]);
    await using _far = await startFarHost(one, "prefill");
    await one.untilTier();
    await one.untilSplit();
    const before = await one.metric("kvbm", peerBlocks, 'way="in"');
    await pass(one, { ...run, ask: { isVoiced: false } });
    return 64 * (await one.metric("kvbm", peerBlocks, 'way="in"') - before);
  },
};

const peerPull: ProofMode = {
  name: "peer",
  about: "peer pull: computed by a worker of another host, pulled by this one's kvbm",
  answers: 2,
  async run(run) {
    await using one = await House.open(run.house, []);
    const [near] = one.of("worker");
    await using far = await startFarHost(one, "both");
    await one.untilTier();
    const at = (worker: string) => ({ ask: { headers: { "x-pixii-worker": worker } } });
    await pass(one, { ...run, ...at(far.worker) });
    await pass(one, { ...run, ...at(near.instance) });
    return 64 * await one.metric("kvbm", peerBlocks, 'way="in"');
  },
};

/** Blocks that came over TCP into the pool of the house's own kvbm. */
const peerBlocks = "pixii_kvbm_peer_blocks_total";

/** All modes but the monolithic one, in the order in which they run. */
export const proofModes: readonly ProofMode[] = [
  ...[hostTier, diskTier, splitByMemory, splitByTcp, peerPull],
];
