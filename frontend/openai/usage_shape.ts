import type { RunUsage } from "../http/request_run.ts";

/** `usage` of an answer. */
export function usageShape(usage: RunUsage): Record<string, unknown> {
  const { device, host, disk } = usage.cached;
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: device + host + disk },
  };
}
