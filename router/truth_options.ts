import { mostAuditBlocks } from "@pixii/wire";
import { option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import type { TruthRules } from "./core/truth.ts";

/** Options of what keeps the index honest. */
export const truthOptions = {
  "audit.every": option.duration({
    fallback: 10_000,
    min: 0,
    max: 3_600_000,
    help:
      "How often a few blocks that the index credits a worker with are compared with what it holds; 0 = never.",
  }),
  "audit.sample": option.integer({
    fallback: 16,
    min: 1,
    max: mostAuditBlocks,
    help: "Blocks that are compared at a time.",
  }),
  "approx.ttl": option.duration({
    fallback: 120_000,
    min: 0,
    max: 86_400_000,
    help:
      "How long an engine without KV events is supposed to hold the blocks of a prompt sent to it; 0 supposes nothing.",
  }),
  "approx.max-blocks": option.integer({
    fallback: 100_000,
    min: 0,
    max: 10_000_000,
    help: "Blocks supposed of all such engines together; over it those unnamed for longest go.",
  }),
  "snapshot.file": option.text({
    fallback: "",
    placeholder: "PATH",
    help:
      "File that keeps the index over a restart; read at the start and written in between and at the end. Without it siblings and workers are asked.",
  }),
  "snapshot.every": option.duration({
    fallback: 30_000,
    min: 1_000,
    max: 3_600_000,
    help: "How often the snapshot file is written.",
  }),
} as const;

/** What the core needs of the options. */
export function truthRulesOf(config: ConfigOf<typeof truthOptions>): TruthRules {
  return {
    audit: { everyMs: config["audit.every"], blocks: config["audit.sample"] },
    approx: { ttlMs: config["approx.ttl"], blocks: config["approx.max-blocks"] },
  };
}
