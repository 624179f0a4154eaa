import { commonOptions, option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";

/** The planner's options. */
export const plannerSchema = {
  ...commonOptions,
  "window": option.duration({
    fallback: 60_000,
    min: 1_000,
    max: 3_600_000,
    help: "how far back demand is looked at",
  }),
} as const;

/** The planner's config. */
export type PlannerConfig = ConfigOf<typeof plannerSchema>;
