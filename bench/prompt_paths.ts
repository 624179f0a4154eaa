import { Seeded } from "./seeded.ts";

/** Prompts as paths of block ids: an id names its block with all before it. */
export interface PromptPaths {
  readonly paths: readonly Int32Array[];
  /** Ids used. */
  readonly ids: number;
}

/** The prompts of a trace in Mooncake's format, one JSON object a line with `hash_ids`. */
export async function readPaths(file: string): Promise<PromptPaths> {
  const paths: Int32Array[] = [];
  let ids = 0;
  for (const line of (await Deno.readTextFile(file)).split("\n")) {
    if (line === "") continue;
    const path = Int32Array.from(JSON.parse(line).hash_ids as number[]);
    for (const id of path) ids = Math.max(ids, id + 1);
    paths.push(path);
  }
  return { paths, ids };
}

/**
 * Prompts of the conversation trace's shape where there is no trace: 12,031 requests with one first block, a third of the
 * later ones going on from an earlier one, lengths from a geometric mixture with mean 24 and at most 247 blocks.
 */
export function madePaths(seed = 42): PromptPaths {
  const random = new Seeded(seed);
  const paths: Int32Array[] = [];
  let ids = 1;
  for (let i = 0; i < 12_031; i++) {
    const goesOn = i > 100 && random.below(3) === 0;
    const before = goesOn ? paths[i - 1 - random.below(Math.min(i, 2_000))] : undefined;
    const mean = random.below(10) === 0 ? 80 : 12;
    const fresh = 1 + Math.floor(-Math.log((1 + random.below(1 << 24)) / 2 ** 24) * mean);
    const head = before === undefined ? [0] : [...before];
    const path = head.slice(0, 246);
    for (let k = 0; k < fresh && path.length < 247; k++) path.push(ids++);
    paths.push(Int32Array.from(path));
  }
  return { paths, ids };
}
