import { z } from "zod";
import { instanceId, label, u32 } from "./field.ts";
import { roles } from "./role.ts";

/**
 * `/desired/<id>`: the role that one worker is to have. It lives under a lease: when it is gone the worker keeps the role
 * it has, and a change that is still under way is given up. The same `id` is followed once.
 */
export const desiredRecord = z.object({
  instance: instanceId,
  /** Names the wish: that of a planner's decision or of an operator's order. */
  id: label.min(1),
  role: z.enum(roles),
  /** Why, for people. */
  reason: label,
  /** Who wishes it: a planner's instance, or `operator`. */
  by: label,
  /** The change is given up when work of the old kind has not ended within this; the worker's own bound without it. */
  boundMs: u32.min(1).optional(),
});
/** The role that one worker is to have. */
export type DesiredRecord = z.infer<typeof desiredRecord>;
