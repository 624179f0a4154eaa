import { policies } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { commonOptions, option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import type { RouterRules } from "./core/router_rules.ts";
import { truthOptions, truthRulesOf } from "./truth_options.ts";
import { queueOptions, queueRulesOf, splitOptions, splitRulesOf } from "./queue_options.ts";
import { defaultTtftWeights } from "./core/ttft_cost.ts";

const credit = (fallback: number, tier: string) =>
  option.number({
    fallback,
    min: 0,
    max: 10,
    help: `Blocks of prefill that one block found ${tier} saves; 0 ignores that tier.`,
  });

/** The router's options. */
export const routerSchema = {
  ...commonOptions,
  policy: option.choice(policies, {
    fallback: "kv",
    help: "How a worker is chosen, unless the request says otherwise.",
  }),
  "kv.temperature": option.number({
    fallback: 0,
    min: 0,
    max: 100,
    help: "Policy kv: 0 takes the cheapest worker; above, costlier ones get the more requests.",
  }),
  "kv.prefill-scale": option.number({
    fallback: 1,
    min: 0,
    max: 1_000,
    help: "Policy kv: weight of prompt blocks to compute against blocks held while decoding.",
  }),
  "kv.active-weight": option.number({
    fallback: 0,
    min: 0,
    max: 1_000,
    help: "Policy kv: blocks that each running request costs beside its own.",
  }),
  "kv.device-credit": credit(1, "in the engine's cache"),
  "kv.host-credit": credit(0.75, "in the host's memory"),
  "kv.disk-credit": credit(0.25, "on disk"),
  "kv.credit-decay": option.number({
    fallback: 0,
    min: 0,
    max: 100,
    help:
      "Policy kv: how fast the credit for the engine's cache fades where prompts wait; 0 = never.",
  }),
  "ttft.work-weight": option.number({
    fallback: defaultTtftWeights.workWeight,
    min: 0,
    max: 100,
    help:
      "Policy ttft: what new work costs beside the time it takes, as others will wait for it; 0 is greedy.",
  }),
  "ttft.spread-weight": option.number({
    fallback: defaultTtftWeights.spreadWeight,
    min: 0,
    max: 100,
    help:
      "Policy ttft: what a worker costs that got more requests lately than others, against computing the whole prompt.",
  }),
  "ttft.sticky-backlog": option.duration({
    fallback: defaultTtftWeights.stickyBacklogMs,
    min: 0,
    max: 3_600_000,
    help:
      "Policy ttft: a session may leave its worker when so much more waits there than elsewhere, and what computing its prompt anew costs others.",
  }),
  "ttft.assumed-rate": option.number({
    fallback: defaultTtftWeights.assumedRate,
    min: 1,
    max: 10_000_000,
    help:
      "Policy ttft: prompt tokens per second of a worker that has no profile and reports no rate.",
  }),
  "index.max-bytes": option.bytes({
    fallback: 512 * 2 ** 20,
    min: 2 ** 20,
    max: 64 * 2 ** 30,
    help:
      "Memory of the index of all workers' blocks, about 12 bytes each; beyond it the coldest are forgotten.",
  }),
  "liveness.hung-step": option.duration({
    fallback: 30_000,
    min: 1_000,
    max: 3_600_000,
    help: "An engine in one step for longer gets no new work; above the slowest prefill step.",
  }),
  "affinity.ttl": option.duration({
    fallback: 600_000,
    min: 0,
    max: 86_400_000,
    help: "How long a session stays with its worker after its last request; 0 turns it off.",
  }),
  ...queueOptions,
  ...splitOptions,
  ...truthOptions,
  "decisions.keep": option.integer({
    fallback: 1_024,
    min: 0,
    max: 65_536,
    help: "Decision records kept in memory, for /v1/pixii/decisions and deno task explain.",
  }),
  "decisions.file": option.text({
    fallback: "",
    placeholder: "PATH",
    help: "Appends every decision to this file as JSON lines; explain --file reads it.",
  }),
  "decisions.file-bytes": option.bytes({
    fallback: 64 * 2 ** 20,
    min: 2 ** 16,
    max: 2 ** 40,
    help: "Over this the decision file becomes PATH.1, in the place of the last one.",
  }),
} as const;

/** The router's config. */
export type RouterConfig = ConfigOf<typeof routerSchema>;

/** What the core needs of the config. */
export function rulesOf(config: RouterConfig, router: InstanceId): RouterRules {
  return {
    ...{ router, policy: config.policy },
    kv: {
      temperature: config["kv.temperature"],
      prefillScale: config["kv.prefill-scale"],
      activeWeight: config["kv.active-weight"],
      deviceCredit: config["kv.device-credit"],
      hostCredit: config["kv.host-credit"],
      diskCredit: config["kv.disk-credit"],
      creditDecay: config["kv.credit-decay"],
    },
    ttft: {
      workWeight: config["ttft.work-weight"],
      spreadWeight: config["ttft.spread-weight"],
      stickyBacklogMs: config["ttft.sticky-backlog"],
      assumedRate: config["ttft.assumed-rate"],
    },
    hungStepMs: config["liveness.hung-step"],
    busy: queueRulesOf(config).busy,
    split: splitRulesOf(config),
    sessionTtlMs: config["affinity.ttl"],
    indexBytes: config["index.max-bytes"],
    keptDecisions: config["decisions.keep"],
    truth: truthRulesOf(config),
  };
}
