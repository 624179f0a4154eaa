import type { PlanOrder } from "@pixii/wire";
import type { Override } from "./core/rules.ts";

/** Orders as the core takes them; what says nothing (a pin without numbers) is left out. */
export function overridesOf(orders: Iterable<PlanOrder>): readonly Override[] {
  return [...orders].flatMap((order): Override[] => {
    const { kind, model, reason, counts, move } = order;
    const of = model === undefined ? {} : { model };
    if (kind === "pause") return [{ kind, reason, ...of }];
    if (kind === "veto") return move === undefined ? [] : [{ kind, reason, move, ...of }];
    return model === undefined || counts === undefined ? [] : [{ kind, model, counts, reason }];
  });
}
