import type { GenerateRequest, InstanceId } from "@pixii/wire";
import type { StreamRequest } from "./stream.ts";

/**
 * True where a stream may have its prompt computed elsewhere when its output goes on from `firstIndex`: the
 * log-probability of the first token does not travel with the hand-over, and one token needs none.
 */
export function maySplit({ sampling, stop }: StreamRequest, firstIndex: number): boolean {
  return sampling.logprobs < 0 && stop.maxTokens - firstIndex > 1;
}

/** What tells a worker to wait for the prefill worker `other`, with the block manager that the other writes to. */
export function takeFrom(
  { model }: StreamRequest,
  other: InstanceId,
): Pick<GenerateRequest, "handover"> {
  const kvbm = model.cards.find(({ instance }) => instance === other)?.kvbm;
  return { handover: kvbm === undefined ? { part: "take" } : { part: "take", kvbm } };
}
