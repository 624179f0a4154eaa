import { weightBounds } from "@pixii/wire";
import type { RouteWeights } from "@pixii/wire";
import type { PolicyWeights } from "./choose.ts";

/** The weights with those that one request sets in their places, by their names in the config (`kv.host-credit`); a name that is not in `weightBounds` is passed over. */
export function weightsWith(base: PolicyWeights, asked: RouteWeights | undefined): PolicyWeights {
  if (asked === undefined) return base;
  const all: Record<string, Record<string, number>> = {};
  for (const [policy, weights] of Object.entries(base)) all[policy] = { ...weights };
  for (const [name, value] of Object.entries(asked)) {
    const [policy, field] = name.split(".");
    const key = (field ?? "").replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    if (Object.hasOwn(weightBounds, name) && Object.hasOwn(all, policy)) all[policy][key] = value;
  }
  return all as unknown as PolicyWeights;
}
