import { z } from "zod";
import { instanceId, label, modelName, u16 } from "./field.ts";
import { modelCard } from "./presence.ts";
import { roles } from "./role.ts";

/** What an operator can tell planners. */
export const orderKinds = ["pause", "pin", "veto"] as const;
/** What a planner can do to workers. */
export const moveKinds = ["flip", "start", "stop"] as const;

/** Workers by role. */
const workerCounts = z.object({ prefill: u16, decode: u16, both: u16 });

/**
 * `/planner/orders/<id>`: an operator's word to all planners, under a lease as its expiry. `pause`: nothing is moved;
 * `pin`: these numbers of workers and no others; `veto`: no move of this kind, none of this worker, or none to these
 * numbers of workers: that is how one decision is forbidden, whoever would take it again.
 */
export const planOrder = z.object({
  id: label.min(1),
  kind: z.enum(orderKinds),
  reason: label.min(1),
  /** Who gave it. */
  by: label,
  /** Served name; all models without it. A `pin` has one. */
  model: modelName.optional(),
  /** Of a `pin`: what there is to be; of a `veto` with `model`: what is not to be gone to. */
  counts: workerCounts.optional(),
  /** Of a `veto`: this kind of move; with `instance` only of that worker. */
  move: z.enum(moveKinds).optional(),
  /** Of a `veto`: no move of this worker. */
  instance: instanceId.optional(),
  /** Of a `veto` with `counts`, for people: the decision that was forbidden. */
  decision: label.optional(),
  /** For people: when it was given (ISO 8601) and how long it was to hold. The lease decides. */
  givenAt: label,
  forMs: z.number().int().min(1),
});
/** An operator's word to all planners. */
export type PlanOrder = z.infer<typeof planOrder>;

/** `/planner/leader`: the planner that acts; it claims the key again and again. */
export const leaderRecord = z.object({ instance: instanceId });
/** The planner that acts. */
export type LeaderRecord = z.infer<typeof leaderRecord>;

/**
 * `/planner/scale/<modelHash>`: how many workers of a model there are to be, for whoever starts and stops processes. It
 * is followed until it is gone; then what runs goes on. Following it twice changes nothing.
 */
export const scaleRecord = z.object({
  id: label.min(1),
  model: modelName,
  /** All workers of the model, without those of `stop`. */
  workers: u16,
  /** Of those, by role: what is missing starts as that. Without it, and beyond it, as `startRole`. */
  roles: workerCounts.optional(),
  /** Role of those that are missing. */
  startRole: z.enum(roles),
  /** The ones that go; where there are still too many then, the youngest go too. */
  stop: z.array(instanceId).max(64),
  reason: label,
  by: label,
  /**
   * What the model's workers announced: with it frontends and planners know a model that has no worker. Once it is here it
   * is carried on. One that cannot be read is none.
   */
  card: modelCard.optional().catch(undefined),
});
/** How many workers of a model there are to be. */
export type ScaleRecord = z.infer<typeof scaleRecord>;
