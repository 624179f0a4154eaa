import { z } from "zod";
import { instanceId } from "./field.ts";
import { streamKeyText } from "./ids.ts";
import type { StreamKey } from "./ids.ts";
import { xxh64 } from "./xxh64.ts";
import type { Hash64 } from "./xxh64.ts";

/** What a worker does in a request whose prompt one worker computes and another goes on from. */
export const handoverParts = ["give", "take"] as const;

/**
 * On a generate request of a split stream. `give`: compute the prompt, commit its blocks as they come, say the first
 * token, end. `take`: wait for the blocks, bring them in, say the same first token again and go on behind it.
 */
export const handover = z.object({
  part: z.enum(handoverParts),
  /** The kvbm that the other worker uses, where it has one. */
  kvbm: instanceId.optional(),
});
/** What a worker does in a split request. */
export type Handover = z.infer<typeof handover>;

/** How the prefill leg ended, as the frontend tells the decode worker: `given` in whole, or `lost`: compute it yourself. */
export const handoverWords = ["given", "lost"] as const;

/** The prefill leg that belongs to a decode leg, and the other way round. */
export function otherLeg(leg: number): number {
  return leg ^ 1;
}

const encoder = new TextEncoder();

/**
 * RouteHash of the tail fragment of a hand-over: `xxh64("pixii-handover-1|" + decode stream key + "|" + index)`, where
 * `index` is the output index of the first token: the position of the sampler. No prompt has it, and no router hears of it.
 */
export function tailHash({ requestId, attempt, leg }: StreamKey, index: number): Hash64 {
  const text = streamKeyText({ requestId, attempt, leg: leg & ~1 });
  return xxh64(encoder.encode(`pixii-handover-1|${text}|${index}`));
}
