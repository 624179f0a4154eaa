import { z } from "zod";
import { instanceId, label, modelName, u16 } from "./field.ts";
import { roles } from "./role.ts";

/** What an operator can tell planners. */
export const orderKinds = ["pause", "pin", "veto"] as const;
/** What a planner can do to workers. */
export const moveKinds = ["flip", "start", "stop"] as const;

/** Workers by role. */
const workerCounts = z.object({ prefill: u16, decode: u16, both: u16 });

/**
 * `/planner/orders/<id>`: an operator's word to all planners, under a lease as its expiry. `pause`: nothing is moved;
 * `pin`: these numbers of workers and no others; `veto`: no move of this kind.
 */
export const planOrder = z.object({
  id: label.min(1),
  kind: z.enum(orderKinds),
  reason: label.min(1),
  /** Who gave it. */
  by: label,
  /** Served name; all models without it. A `pin` has one. */
  model: modelName.optional(),
  /** Of a `pin`. */
  counts: workerCounts.optional(),
  /** Of a `veto`. */
  move: z.enum(moveKinds).optional(),
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
  /** All workers of the model. */
  workers: u16,
  /** Role of those that are missing. */
  startRole: z.enum(roles),
  /** The ones that go where there are too many; without a word of it the youngest. */
  stop: z.array(instanceId).max(64),
  reason: label,
  by: label,
});
/** How many workers of a model there are to be. */
export type ScaleRecord = z.infer<typeof scaleRecord>;
