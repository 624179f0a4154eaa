import { policies } from "@pixii/wire";
import { option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import { evictionNames } from "./core/eviction_orders.ts";
import { lineHolds, lineOrders } from "./core/replay_job.ts";
import { replayServices } from "./core/replay_service.ts";
import { traceParts } from "./core/trace_shape.ts";

/** Policies that a replay compares. */
export const replayPolicies = [
  ...policies.filter((one) => one !== "direct"),
  "least-queue",
] as const;

/** Options of `deno task replay`. */
export const replaySchema = {
  trace: option.text({
    fallback: "",
    placeholder: "FILE",
    help: "A trace: Mooncake's JSON lines, or Azure's CSV (arrivals and lengths only).",
  }),
  synthetic: option.choice(["agents"], {
    fallback: undefined,
    help: "Instead of a trace: agent sessions made from the seed.",
  }),
  sessions: option.integer({
    fallback: 400,
    min: 1,
    max: 1_000_000,
    help: "Synthetic agents: how many sessions.",
  }),
  "session-rate": option.number({
    fallback: 0.4,
    min: 0.001,
    max: 10_000,
    help: "Synthetic agents: sessions that begin per second.",
  }),
  workers: option.integer({ fallback: 8, min: 1, max: 1_024, help: "Workers." }),
  "capacity-blocks": option.integer({
    fallback: 4_096,
    min: 1,
    max: 4_194_304,
    help: "Blocks of each worker's cache.",
  }),
  "block-size": option.integer({
    fallback: 512,
    min: 1,
    max: 65_536,
    help: "Tokens of a block; a Mooncake trace has 512.",
  }),
  policy: option.text({
    fallback: "ttft,kv,round-robin,least-loaded,least-queue",
    placeholder: "A,B,...",
    help: `Policies, parted by commas: ${
      replayPolicies.join(", ")
    } (least-queue: the shortest predicted queue, blind to caches).`,
  }),
  order: option.text({
    fallback: "fcfs",
    placeholder: "A,B",
    help: `Orders of a worker's line, each a row of its own: ${
      lineOrders.join(", ")
    } (the least uncached work first, with ageing).`,
  }),
  eviction: option.text({
    fallback: "",
    placeholder: "A,B,...",
    help: `Rows for one pooled cache of all blocks, by eviction: ${
      evictionNames.join(", ")
    } (learned: least worth by class and age; belady: sees the future).`,
  }),
  service: option.choice(replayServices, {
    fallback: "prefill",
    help:
      "prefill: one prompt at a time and no decode, to compare policies; engine: continuous batching with decode.",
  }),
  "max-seqs": option.integer({
    fallback: 256,
    min: 1,
    max: 65_536,
    help: "Sequences that a worker decodes at a time, and of the router's card.",
  }),
  hold: option.text({
    fallback: "off",
    placeholder: "A,B,...",
    help: `How requests wait at the router, each a row of its own: ${
      lineHolds.join(", ")
    } (room: while every worker is full; best: ttft waits for its best worker; shortest: and the least work goes first, with ageing; gathered: and those that come together are chosen from together). --set queue.… changes the rules; unless it says when a worker is full, one is with 250 ms of prompts.`,
  }),
  busy: option.number({
    fallback: 0.75,
    min: 0.01,
    max: 100,
    help: "Service prefill: how busy workers would be if nothing were cached; sets their speed.",
  }),
  rate: option.number({
    fallback: 1,
    min: 0.001,
    max: 1_000,
    help: "How much faster than recorded requests come.",
  }),
  jitter: option.duration({
    fallback: 0,
    min: 0,
    max: 600_000,
    help:
      "Spreads batched arrivals: each request comes up to so much later; Mooncake's come every 3s.",
  }),
  part: option.choice(traceParts, { fallback: "all", help: "Which requests are replayed." }),
  slo: option.duration({
    fallback: 0,
    min: 0,
    max: 86_400_000,
    help:
      "Also finds the highest rate at which 99 of 100 requests have their first token within it; 0 = not.",
  }),
  set: option.list({
    fallback: [],
    placeholder: "NAME=VALUE",
    help: "An option of the router, like kv.temperature=0.5 or ttft.work-weight=2.",
  }),
  seed: option.integer({
    fallback: 1,
    min: 0,
    max: 0xffff_ffff,
    help: "Of chance: ties, jitter, synthetic sessions. The same seed gives the same bytes.",
  }),
  svg: option.text({
    fallback: "",
    placeholder: "DIR",
    help: "Writes plots there.",
  }),
  json: option.flag({ fallback: false, help: "Prints JSON lines: a row each, and figures." }),
} as const;

/** The options, parsed. */
export type ReplayConfig = ConfigOf<typeof replaySchema>;

/** The words of a comma-parted option, or a sentence about the first that is none of `known`. */
export function wordsOf<const Word extends string>(
  text: string,
  options: { readonly flag: string; readonly known: readonly Word[] },
): { readonly words: readonly Word[] } | { readonly problem: string } {
  const words: Word[] = [];
  for (const part of text.split(",").map((one) => one.trim()).filter((one) => one !== "")) {
    const word = options.known.find((one) => one === part);
    if (word === undefined) {
      const list = options.known.join(", ");
      return { problem: `Cannot use ${options.flag}: '${part}' is none of ${list}` };
    }
    words.push(word);
  }
  return { words };
}
