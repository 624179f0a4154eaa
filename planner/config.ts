import { commonOptions } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";

/** The planner's options. */
export const plannerSchema = { ...commonOptions } as const;

/** The planner's config. */
export type PlannerConfig = ConfigOf<typeof plannerSchema>;
