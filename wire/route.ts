import { z } from "zod";
import {
  bytes,
  count,
  failure,
  finite,
  instanceId,
  label,
  requestId,
  u16,
  u32,
  workerRank,
} from "./field.ts";

/** How a worker is picked. */
export const policies = [
  "kv",
  "round-robin",
  "random",
  "least-loaded",
  "power-of-two",
  "direct",
] as const;
/** How a worker is picked. */
export type PolicyName = typeof policies[number];

/** What a client may ask of the router, from headers and `nvext`. */
export const routeHints = z.object({
  /** This worker and no other (policy `direct` needs it). */
  worker: instanceId.optional(),
  dpRank: u16.optional(),
  policy: z.enum(policies).optional(),
  priority: z.number().int().min(-1000).max(1000).optional(),
  session: label.optional(),
  allow: z.array(instanceId).max(256).optional(),
  deny: z.array(instanceId).max(256).optional(),
});
/** What a client may ask of the router. */
export type RouteHints = z.infer<typeof routeHints>;

const overlap = z.object({ device: u32, host: u32, disk: u32 });
/** Blocks of the prompt that a worker holds, by tier. */
export type Overlap = z.infer<typeof overlap>;

/** One worker the router looked at. All terms are in blocks. */
export const candidate = z.object({
  worker: workerRank,
  overlap,
  /** Cost terms by name, e.g. `prefill`, `decode`, `active`; their sum is `cost`. */
  terms: z.record(z.string().max(64), finite),
  cost: finite,
});
/** One worker the router looked at. */
export type Candidate = z.infer<typeof candidate>;

/** Why this worker: everything needed to explain a decision and to make it again. */
export const decisionRecord = z.object({
  requestId,
  attempt: u16,
  leg: u16,
  model: label,
  policy: z.enum(policies),
  router: instanceId,
  /** Milliseconds of the router's monotonic clock. */
  atMs: finite,
  /** Prompt tokens and the block size the overlap is counted in. */
  isl: u32,
  blockSize: u32,
  /** Best first; at most 16, the chosen one always among them. */
  candidates: z.array(candidate).max(16),
  /** How many were eligible in all. */
  eligible: u32,
  chosen: workerRank,
  /** Random numbers used, in order, each in [0, 1). */
  chance: z.array(finite).max(64),
  /** Changes with every event, booking and report the router applied. */
  stateVersion: count,
});
/** Why this worker. */
export type DecisionRecord = z.infer<typeof decisionRecord>;

/** router -> frontend. A later `queued` kind may join: frontends treat an unknown kind as `router_unavailable`. */
export const routeReply = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("decision"),
    worker: workerRank,
    overlap,
    blockSize: u32,
    /** An encoded `decisionRecord`: read only by whoever explains the decision, so the way of a request does not pay for it. */
    record: bytes(),
  }),
  z.object({ kind: z.literal("refused"), error: failure }),
]);
/** router -> frontend. */
export type RouteReply = z.infer<typeof routeReply>;
