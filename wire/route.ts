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
import { mostPlacementTerms, placementTerm } from "./placement_term.ts";
import { routeWeights } from "./route_weights.ts";

/** How a worker is picked. */
export const policies = [
  "kv",
  "ttft",
  "round-robin",
  "random",
  "least-loaded",
  "power-of-two",
  "direct",
] as const;
/** How a worker is picked. */
export type PolicyName = typeof policies[number];

/** Whether a session may leave its worker. */
export const sessionModes = ["soft", "hard"] as const;

/** What a client may ask of the router, from headers and `nvext`. */
export const routeHints = z.object({
  /** This worker and no other (policy `direct` needs it). */
  worker: instanceId.optional(),
  dpRank: u16.optional(),
  policy: z.enum(policies).optional(),
  priority: z.number().int().min(-1000).max(1000).optional(),
  session: label.optional(),
  /** `hard`: refused where the session's worker is gone; `soft` (default): another takes over. */
  sessionMode: z.enum(sessionModes).optional(),
  /** How long the session stays with its worker after this request; without it the router's own time. */
  sessionTtlMs: u32.optional(),
  /** Every one must be among the worker's labels. */
  require: z.array(placementTerm).max(mostPlacementTerms).optional(),
  /** Taints of workers that do not keep this request away; `*` is all. */
  tolerate: z.array(z.string().max(128)).max(mostPlacementTerms).optional(),
  /** LoRA adapter by name: workers that have it loaded are preferred. */
  adapter: label.optional(),
  /** Whose share of a full cluster the request takes. */
  tenant: z.string().max(128).optional(),
  /** Weights of the policy for this request alone. */
  weights: routeWeights.optional(),
  /** Longest wait in the router's queue; 0 = refuse instead of waiting. */
  queueMs: u32.optional(),
  /** Pins the prefill phase where it is split off. */
  prefillWorker: instanceId.optional(),
  allow: z.array(instanceId).max(256).optional(),
  deny: z.array(instanceId).max(256).optional(),
  /** The client's own `x-request-id`, by which a decision is found again. */
  clientId: z.string().max(128).optional(),
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
  /** Who could compute the prompt for the chosen worker, where splitting it off was found to pay. */
  prefill: workerRank.optional(),
  /** Whether it was asked to (else it is advice), and what was weighed: predicted milliseconds until the first token. */
  split: z.object({ acts: z.boolean(), localMs: finite, splitMs: finite, tokens: u32 }).optional(),
});
/** Why this worker. */
export type DecisionRecord = z.infer<typeof decisionRecord>;

/** router -> frontend. Frontends treat an unknown kind as `router_unavailable`. */
export const routeReply = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("decision"),
    worker: workerRank,
    overlap,
    blockSize: u32,
    /** An encoded `decisionRecord`: read only by whoever explains the decision, so the way of a request does not pay for it. */
    record: bytes(),
    /** Who computes the prompt, where it is split off: the frontend sends both a leg; both are booked. */
    prefill: z.object({ worker: workerRank, overlap }).optional(),
    /** Another host's block manager with more of the prompt, which the worker's own one may pull: its run from the first block. */
    peer: z.object({ kvbm: instanceId, blocks: u32 }).optional(),
  }),
  z.object({ kind: z.literal("refused"), error: failure }),
  /**
   * It waits: every worker that could take it is full. `RouteNotice`s follow on the frontend's `notices`: beats, and the
   * answer; `cancel-route` to the router ends it. A router without a beat for `limits.queueSilentMs` is down.
   */
  z.object({
    kind: z.literal("queued"),
    router: instanceId,
    /** Requests ahead of it as things are; fairness and priority may change that. */
    ahead: u32,
  }),
]);
/** router -> frontend. */
export type RouteReply = z.infer<typeof routeReply>;
