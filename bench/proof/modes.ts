import type { ProofAnswer } from "./ask.ts";
import { House } from "./house.ts";
import type { HouseOptions } from "./house.ts";
import type { ProofPrompt } from "./prompts.ts";

/** What a mode runs with. */
export interface ModeRun {
  readonly house: HouseOptions;
  readonly prompts: readonly ProofPrompt[];
  /** Prompts that are sent before the first of them is sent again. */
  readonly groupSize: number;
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
  async run({ house, prompts, take }) {
    await using one = await House.open(house, ["--worker.kvbm", "off"]);
    for (const [at, prompt] of prompts.entries()) take(at, await one.ask(prompt));
    return Infinity;
  },
};

const hostTier: ProofMode = {
  name: "host",
  about: "host tier: computed, driven out of the device, taken back from shared memory",
  answers: 2,
  async run({ house, prompts, groupSize, take }) {
    await using one = await House.open(house, []);
    await one.untilTier();
    for (let first = 0; first < prompts.length; first += groupSize) {
      const group = prompts.slice(first, first + groupSize);
      for (const [i, prompt] of group.entries()) take(first + i, await one.ask(prompt));
      for (const [i, prompt] of group.entries()) take(first + i, await one.ask(prompt));
    }
    return await one.cached("host");
  },
};

/** All modes but the monolithic one, in the order in which they run. */
export const proofModes: readonly ProofMode[] = [hostTier];
