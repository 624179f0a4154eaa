import type { WorkerProfile } from "@pixii/wire";
import type { Observation, SeenModel } from "./observation.ts";
import type { Override, PlannerRules } from "./rules.ts";

/** One model of a step; its profile is the one that an earlier line has under this number. */
export type StepModel = Omit<SeenModel, "times"> & { readonly profile?: number };

/** What a planner's core is given, in the order in which it is given it. `by`: the planner. */
export type InputLine =
  /** A core that knows nothing yet. */
  | { readonly kind: "begin"; readonly by: string; readonly at: string; readonly version: string }
  /** The rules from here on. */
  | { readonly kind: "rules"; readonly by: string; readonly rules: PlannerRules }
  /** A profile that steps name by its number. */
  | {
    readonly kind: "profile";
    readonly by: string;
    readonly number: number;
    readonly profile: WorkerProfile;
  }
  /** One step: everything that was seen, and the orders in force. */
  | {
    readonly kind: "step";
    readonly by: string;
    readonly nowMs: number;
    /** See `Observation.isEarly`. */
    readonly isEarly?: boolean;
    /** See `Observation.watchesOnly`. */
    readonly watchesOnly?: boolean;
    readonly models: readonly StepModel[];
    readonly overrides: readonly Override[];
  };

/** What one step is made from. */
export interface StepInput {
  readonly rules: PlannerRules;
  readonly seen: Observation;
  readonly overrides: readonly Override[];
}

/** Turns steps into lines that can be kept as JSON: rules and profiles are told when they are new, not in every step. */
export class InputWriter {
  readonly #by: string;
  #rules = "";
  readonly #numbers = new Map<string, number>();
  readonly #known = new WeakMap<WorkerProfile, number>();

  constructor(by: string) {
    this.#by = by;
  }

  /** Lines of a step, its own last. O(workers), and the size of a profile that is new. */
  lines({ rules, seen, overrides }: StepInput): readonly InputLine[] {
    const by = this.#by;
    const lines: InputLine[] = [];
    const text = JSON.stringify(rules);
    // The rules are one object that changes: what is kept is what they were.
    if (text !== this.#rules) lines.push({ kind: "rules", by, rules: JSON.parse(text) });
    this.#rules = text;
    const models = seen.models.map(({ times, ...model }): StepModel => {
      if (times === undefined) return model;
      return { ...model, profile: this.#numberOf(times.profile, lines) };
    });
    lines.push({ kind: "step", by, ...kindOf(seen), models, overrides });
    return lines;
  }

  #numberOf(profile: WorkerProfile, lines: InputLine[]): number {
    const seen = this.#known.get(profile);
    if (seen !== undefined) return seen;
    // Every worker's card brings a copy of its own.
    const text = JSON.stringify(profile);
    const known = this.#numbers.get(text);
    const number = known ?? this.#numbers.size;
    if (known === undefined) {
      this.#numbers.set(text, number);
      lines.push({ kind: "profile", by: this.#by, number, profile });
    }
    this.#known.set(profile, number);
    return number;
  }
}

/** What kind of look a step is: of two that are what they are without a word nothing is told. */
export function kindOf(
  { nowMs, isEarly, watchesOnly }: Pick<Observation, "nowMs" | "isEarly" | "watchesOnly">,
): Pick<Observation, "nowMs" | "isEarly" | "watchesOnly"> {
  return {
    nowMs,
    ...(isEarly === true ? { isEarly } : {}),
    ...(watchesOnly === true ? { watchesOnly } : {}),
  };
}
