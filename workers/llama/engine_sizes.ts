import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { ModelFacts } from "./model.ts";
import { mostDefaultContext } from "./thread_messages.ts";
import type { OpenMessage } from "./thread_messages.ts";

/** Most sequences of a model with sliding windows: each has a twin. */
const mostTwinSeqs = 96;

/** Context length and cells of a context, or why they cannot be had. */
export function sizesOf(
  message: OpenMessage,
  facts: ModelFacts,
): Result<{ contextLength: number; cells: number }> {
  const { trainedContext, slidingWindow } = facts;
  if (slidingWindow > 0 && message.maxSeqs > mostTwinSeqs) {
    return fail(
      "invalid_request",
      `Cannot serve ${message.maxSeqs} sequences of a model with sliding windows: it takes two ids for each; lower --max-seqs to ${mostTwinSeqs}`,
    );
  }
  if (message.contextLength > trainedContext) {
    return fail(
      "invalid_request",
      `Cannot serve a context of ${message.contextLength} tokens: the model was trained for ${trainedContext}; lower --ctx`,
    );
  }
  const contextLength = message.contextLength || Math.min(trainedContext, mostDefaultContext);
  const wanted = Math.max(contextLength, message.kvTokens);
  const cells = Math.ceil(wanted / 256) * 256;
  const bytes = cells * message.kvBytesPerToken;
  const { available } = Deno.systemMemoryInfo();
  if (bytes > available) {
    const gib = (value: number) => `${(value / 2 ** 30).toFixed(1)} GiB`;
    return fail(
      "invalid_request",
      `Cannot make a KV cache of ${cells} tokens: it takes ${gib(bytes)}, ${
        gib(available)
      } are free; lower --ctx or --kv-tokens`,
    );
  }
  return ok({ contextLength, cells });
}
