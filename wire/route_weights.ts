import { z } from "zod";
import { finite } from "./field.ts";

/** Most weights of one request. */
const mostWeights = 16;

/** Bounds of the weights that one request may set, by the name that each has in the router's config. */
export const weightBounds = {
  "kv.temperature": { min: 0, max: 100 },
  "kv.prefill-scale": { min: 0, max: 1_000 },
  "kv.active-weight": { min: 0, max: 1_000 },
  "kv.device-credit": { min: 0, max: 10 },
  "kv.host-credit": { min: 0, max: 10 },
  "kv.disk-credit": { min: 0, max: 10 },
  "kv.credit-decay": { min: 0, max: 100 },
  "ttft.work-weight": { min: 0, max: 100 },
  "ttft.spread-weight": { min: 0, max: 100 },
} as const;

/** Name of a weight that one request may set. */
export type WeightName = keyof typeof weightBounds;

/** All names of weights, in the order of the config. */
export const weightNames: readonly WeightName[] = Object.keys(weightBounds) as WeightName[];

/** What is wrong with one weight, as a sentence's end; nothing where it may be set so. */
export function weightProblem(name: string, value: number): string | undefined {
  if (!Object.hasOwn(weightBounds, name)) {
    return `has no weight '${name.slice(0, 40)}'; there are ${weightNames.join(", ")}`;
  }
  const { min, max } = weightBounds[name as WeightName];
  if (Number.isFinite(value) && value >= min && value <= max) return undefined;
  return `${name} must be a number from ${min} to ${max}, got ${value}`;
}

/** Weights that one request sets, by name. */
export const routeWeights = z.record(z.string().max(64), finite)
  .refine((weights) => {
    const all = Object.entries(weights);
    return all.length <= mostWeights &&
      all.every(([name, value]) => weightProblem(name, value) === undefined);
  }, { message: "must hold known weights within their bounds" });
/** Weights that one request sets, by name. */
export type RouteWeights = z.infer<typeof routeWeights>;
