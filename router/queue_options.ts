import { option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import type { QueueRules } from "./core/queue_rules.ts";
import type { SplitRules } from "./core/split.ts";

/** Options of the router's queue. */
export const queueOptions = {
  "queue.waiting-per-rank": option.integer({
    fallback: 192,
    min: 0,
    max: 1_000_000,
    help:
      "A worker rank with so many requests beyond its max-seqs is full; below the workers' max-waiting, so that requests wait here.",
  }),
  "queue.busy-prefill-tokens": option.integer({
    fallback: 0,
    min: 0,
    max: 1_000_000_000,
    help:
      "A rank with so many prompt tokens still to compute is full (active-prefill-tokens-threshold of Dynamo); 0 = no bound.",
  }),
  "queue.busy-prefill": option.duration({
    fallback: 0,
    min: 0,
    max: 3_600_000,
    help:
      "A rank whose waiting prompts still take so long, as its profile or its rate predicts, is full; 0 = no bound.",
  }),
  "queue.busy-blocks": option.number({
    fallback: 0,
    min: 0,
    max: 100,
    help:
      "A rank whose running requests hold this part of its KV blocks is full (active-decode-blocks-threshold of Dynamo); 0 = no bound.",
  }),
  "queue.max-requests": option.integer({
    fallback: 1_024,
    min: 0,
    max: 65_536,
    help: "Requests of a model that wait while every worker is full; over it 529. 0 = none waits.",
  }),
  "queue.max-tokens": option.integer({
    fallback: 8_000_000,
    min: 0,
    max: 1_000_000_000,
    help: "Prompt tokens of the requests of a model that wait; over it 529.",
  }),
  "queue.tenant-share": option.number({
    fallback: 0.8,
    min: 0.001,
    max: 1,
    help: "Part of both that one tenant may take; over it 429.",
  }),
  "queue.max-wait": option.duration({
    fallback: 60_000,
    min: 100,
    max: 3_600_000,
    help: "Longest wait; then 529.",
  }),
  "queue.priority-step": option.duration({
    fallback: 100,
    min: 0,
    max: 60_000,
    help: "Waiting time that one point of a request's priority is worth.",
  }),
  "queue.prompt-token-ms": option.number({
    fallback: 0,
    min: 0,
    max: 1_000,
    help:
      "Milliseconds that a waiting request counts as having come later per token of its prompt: short ones pass long ones; 0 = first come, first served.",
  }),
  "queue.wait-for-best": option.flag({
    fallback: false,
    help:
      "Policy ttft: a request whose best worker is full waits for that one, though another has room; set queue.busy-prefill, too.",
  }),
  "queue.work-weight": option.number({
    fallback: 0,
    min: 0,
    max: 1_000,
    help:
      "Of those that wait for their best worker: milliseconds that a request counts as having come later per millisecond that it will compute: less work passes more; 0 = first come, first served.",
  }),
  "queue.gather": option.duration({
    fallback: 0,
    min: 0,
    max: 1_000,
    help:
      "With queue.wait-for-best: requests that come within so long of each other are chosen from together; 0 = each is placed as it comes.",
  }),
  "queue.aged": option.duration({
    fallback: 10_000,
    min: 0,
    max: 3_600_000,
    help: "Of those who waited longer, the oldest gets every fourth place, whatever its priority.",
  }),
  "queue.cached-weight": option.number({
    fallback: 0.1,
    min: 0,
    max: 1,
    help: "What a cached prompt token counts in a tenant's share, against 1 for a computed one.",
  }),
  "queue.output-weight": option.number({
    fallback: 2,
    min: 0,
    max: 100,
    help: "What an output token counts in a tenant's share.",
  }),
} as const;

/** Options about splitting prefill from decode. */
export const splitOptions = {
  "split.mode": option.choice(["off", "advise", "auto", "always"], {
    fallback: "auto",
    help:
      "Whether workers of role prefill compute prompts for others: auto = where it pays, always = wherever one can, advise = only said in decisions.",
  }),
  "split.max-local-prefill-length": option.integer({
    fallback: 512,
    min: 0,
    max: 10_000_000,
    help:
      "Prompt tokens to compute that stay with the decode worker (max_local_prefill_length of Dynamo).",
  }),
  "split.max-prefill-queue-size": option.integer({
    fallback: 8,
    min: 0,
    max: 1_000_000,
    help:
      "A prefill worker with so many prompts waiting gets no more (max_prefill_queue_size of Dynamo).",
  }),
  "split.patience": option.number({
    fallback: 2,
    min: 0,
    max: 1_000,
    help:
      "auto: a prompt is not split where its first token would come so many times later than without.",
  }),
  "split.across-hosts": option.flag({
    fallback: false,
    help:
      "Splits prompts between workers of different kvbms, too: those of prefill workers need --kv-peer-listen.",
  }),
} as const;

/** What the core needs of the config about splitting; nothing where it is off. */
export function splitRulesOf(config: ConfigOf<typeof splitOptions>): SplitRules | undefined {
  const mode = config["split.mode"];
  if (mode === "off") return undefined;
  return {
    mode,
    maxLocalPrefillLength: config["split.max-local-prefill-length"],
    maxPrefillQueueSize: config["split.max-prefill-queue-size"],
    patience: config["split.patience"],
    acrossHosts: config["split.across-hosts"],
  };
}

/** What the queue's core needs of the config. */
export function queueRulesOf(config: ConfigOf<typeof queueOptions>): QueueRules {
  return {
    busy: {
      waitingPerRank: config["queue.waiting-per-rank"],
      prefillTokens: config["queue.busy-prefill-tokens"],
      prefillMs: config["queue.busy-prefill"],
      blocks: config["queue.busy-blocks"],
    },
    maxRequests: config["queue.max-requests"],
    maxTokens: config["queue.max-tokens"],
    tenantShare: config["queue.tenant-share"],
    maxWaitMs: config["queue.max-wait"],
    priorityStepMs: config["queue.priority-step"],
    promptTokenMs: config["queue.prompt-token-ms"],
    waitForBest: config["queue.wait-for-best"],
    workWeight: config["queue.work-weight"],
    gatherMs: config["queue.gather"],
    agedMs: config["queue.aged"],
    cachedWeight: config["queue.cached-weight"],
    outputWeight: config["queue.output-weight"],
  };
}
