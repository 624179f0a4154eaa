import { z } from "zod";
import { instanceId, label } from "./field.ts";
import { roles } from "./role.ts";

/** What an operator can tell planners. */
export const orderKinds = ["pause", "pin", "veto"] as const;

/**
 * `/planner/orders/<id>`: an operator's word to all planners, under a lease as its expiry. `pause`: nothing is moved;
 * `pin`: this worker keeps its role, or gets the one named; `veto`: no move of this kind, or none of this decision.
 */
export const planOrder = z.object({
  id: label.min(1),
  kind: z.enum(orderKinds),
  reason: label.min(1),
  /** Who gave it. */
  by: label,
  /** `pin`: the worker. */
  instance: instanceId.optional(),
  /** `pin`: the role it is to have; its present one without it. */
  role: z.enum(roles).optional(),
  /** `veto`: a decision's id, or `flip`, `grow`, `shrink`. */
  what: label.optional(),
  /** For people: when it was given and how long it was meant to hold. The lease decides. */
  givenAt: label,
  forMs: z.number().int().min(1),
});
/** An operator's word to all planners. */
export type PlanOrder = z.infer<typeof planOrder>;

/** `/planner/leader`: the planner that acts, under its own lease. */
export const leaderRecord = z.object({ instance: instanceId });
/** The planner that acts. */
export type LeaderRecord = z.infer<typeof leaderRecord>;
