import { sameCounts } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import type { PlanMove } from "./plan_record.ts";
import type { Override } from "./rules.ts";

type Veto = Extract<Override, { readonly kind: "veto" }>;

/** What operators forbid for one model. O(orders) per question. */
export class Vetoes {
  readonly #vetoes: readonly Veto[];

  constructor(overrides: readonly Override[], model: string) {
    this.#vetoes = overrides.filter((one): one is Veto =>
      one.kind === "veto" && (one.model ?? model) === model
    );
  }

  /** The first word against any move of this kind. */
  ofKind(kind: PlanMove["kind"]): Veto | undefined {
    return this.#vetoes.find(({ move, instance, counts }) =>
      move === kind && instance === undefined && counts === undefined
    );
  }

  /** The first word against this move of one worker. */
  ofWorker(kind: PlanMove["kind"], worker: string): Veto | undefined {
    return this.#vetoes.find(({ move, instance }) =>
      instance === worker && (move ?? kind) === kind
    );
  }

  /** The first word against going to these numbers of workers. */
  ofCounts(want: Counts): Veto | undefined {
    return this.#vetoes.find(({ counts }) => counts !== undefined && sameCounts(counts, want));
  }

  /** Why moves may be missing, in words; `undefined` where nobody forbade any. */
  get why(): string | undefined {
    const reasons = this.#vetoes.filter(({ counts }) => counts === undefined).map(({ reason }) =>
      reason
    );
    return reasons.length === 0 ? undefined : `vetoed by an operator: ${reasons.join("; ")}`;
  }
}
