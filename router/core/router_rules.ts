import type { InstanceId, PolicyName } from "@pixii/wire";
import type { KvWeights } from "./kv_cost.ts";
import type { BusyRules } from "./queue_rules.ts";
import type { SplitRules } from "./split.ts";
import type { TruthRules } from "./truth.ts";
import type { TtftWeights } from "./ttft_cost.ts";

/** How a router decides. */
export interface RouterRules {
  readonly router: InstanceId;
  readonly policy: PolicyName;
  readonly kv: KvWeights;
  readonly ttft?: TtftWeights;
  readonly hungStepMs: number;
  /** When a rank is full; without it none is. */
  readonly busy?: BusyRules;
  /** When a prompt is better computed by a prefill worker; without it that is not looked at. */
  readonly split?: SplitRules;
  /** Nothing is audited and nothing supposed without it. */
  readonly truth?: TruthRules;
  readonly sessionTtlMs: number;
  /** Bytes of all indexes. */
  readonly indexBytes: number;
  /** Decision records kept. */
  readonly keptDecisions: number;
}
