import { z } from "zod";
import { label } from "./field.ts";

/** What a worker does with requests: only prompts of others, only answers, or both. */
export const roles = ["prefill", "decode", "both"] as const;
/** One of them. */
export type Role = typeof roles[number];

/** How a change of role goes: work of the old kind drains, it is done, or it was given up and the old role stays. */
export const flipStates = ["flipping", "done", "gave-up"] as const;

/** A worker's latest change of role; the answer to control `role`, and part of every later load report. */
export const roleFlip = z.object({
  /** The wish that it follows: a decision's or an operator's. */
  id: label,
  to: z.enum(roles),
  state: z.enum(flipStates),
  /** Why it was given up. */
  reason: label.optional(),
});
/** A worker's latest change of role. */
export type RoleFlip = z.infer<typeof roleFlip>;

/** What says which work a worker takes: its role, and the change of it that is under way. */
export interface RoleState {
  readonly role: Role;
  readonly flip?: RoleFlip;
}

/** The role that the worker is on the way to; undefined where it is not on any. */
export function flippingTo({ flip }: RoleState): Role | undefined {
  return flip?.state === "flipping" ? flip.to : undefined;
}

/** True where a worker takes requests to answer: what drains takes no more of its kind. */
export function takesAnswers(state: RoleState): boolean {
  return state.role !== "prefill" && flippingTo(state) !== "prefill";
}

/** True where a worker takes prompts to compute for others. */
export function takesPrompts(state: RoleState): boolean {
  return state.role === "prefill" && flippingTo(state) === undefined;
}
