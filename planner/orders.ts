import type { PlanOrder } from "@pixii/wire";
import type { Override } from "./core/rules.ts";

/** Orders as the core takes them, the latest first, so that it counts; what says nothing (a pin without numbers) is left out. */
export function overridesOf(orders: Iterable<PlanOrder>): readonly Override[] {
  const latest = [...orders].sort((a, b) => orderOf(a) < orderOf(b) ? 1 : -1);
  return latest.flatMap((order): Override[] => {
    const { kind, model, reason, counts, move, instance } = order;
    const of = model === undefined ? {} : { model };
    if (kind === "pause") return [{ kind, reason, ...of }];
    if (kind === "pin") {
      return model === undefined || counts === undefined ? [] : [{ kind, model, counts, reason }];
    }
    // Counts are some model's: of all models they would say nothing.
    if (counts !== undefined) return model === undefined ? [] : [{ kind, reason, model, counts }];
    if (move === undefined && instance === undefined) return [];
    return [{
      ...{ kind, reason, ...of },
      ...(move === undefined ? {} : { move }),
      ...(instance === undefined ? {} : { instance }),
    }];
  });
}

/** Orders given at one time go by their ids: every planner is to obey the same one. */
function orderOf({ givenAt, id }: PlanOrder): string {
  return `${givenAt} ${id}`;
}
