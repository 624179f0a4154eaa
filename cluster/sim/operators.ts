import { encodeRecord, keys } from "@pixii/wire";
import type { PlanOrder } from "@pixii/wire";
import type { Chance, Registry, VirtualClock } from "@pixii/runtime";
import type { SimLog } from "./sim_log.ts";
import { simModel } from "./sim_shape.ts";

/** Shortest and longest time that an order holds; drawn evenly between. */
const leastHoldMs = 10_000;
const mostHoldMs = 60_000;
/** Of ten orders so many are pins, and so many pauses; the others are vetoes of changes of roles. */
const pins = 0.8;
const pauses = 0.1;

/** What operators work with. */
export interface OperatorParts {
  readonly registry: Registry;
  readonly clock: VirtualClock;
  readonly chance: Chance;
  readonly log: SimLog;
  /** Workers that there are, and ranks of each: plans count ranks. */
  readonly workers: number;
  readonly ranks: number;
  /** Mean time between two orders; Infinity = none by themselves. */
  readonly everyMs: number;
}

/** Operators that tell the planners, at random times, what roles there are to be, or to keep still. */
export class Operators {
  readonly #parts: OperatorParts;
  readonly #given: string[] = [];
  #timer: Disposable | undefined;
  /** Until then, by the clock of the run, orders forbid changes of roles. */
  #bindsUntilMs = -Infinity;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  /** True where an order has bound the planners' hands within the last so many ms. */
  boundWithin(ms: number): boolean {
    return this.#parts.clock.nowMs() - this.#bindsUntilMs < ms;
  }

  /** Gives orders from now on. */
  begin(): void {
    const { clock, chance, everyMs } = this.#parts;
    if (everyMs === Infinity) return;
    this.#timer = clock.timer(-Math.log(1 - chance.float()) * everyMs, () => {
      void this.#order(this.#drawn());
      this.begin();
    });
  }

  /** Gives no more, and takes back what was given. */
  async end(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    const { registry } = this.#parts;
    for (const id of this.#given.splice(0)) await registry.remove(keys("default").order(id));
  }

  /** All but one worker answer, the last one computes prompts: every cluster can do that. */
  async pinPlainly(): Promise<void> {
    const { workers, ranks } = this.#parts;
    const counts = { prefill: ranks, decode: (workers - 1) * ranks, both: 0 };
    await this.#order({ kind: "pin", model: simModel, counts, forMs: mostHoldMs });
  }

  #drawn(): Pick<PlanOrder, "kind" | "model" | "counts" | "move" | "forMs"> {
    const { chance, workers, ranks } = this.#parts;
    const below = (count: number) => chance.u32() % count;
    const forMs = leastHoldMs + below(mostHoldMs - leastHoldMs);
    const kind = chance.float();
    if (kind > pins + pauses) return { kind: "veto", move: "flip", forMs };
    if (kind > pins) return { kind: "pause", forMs };
    // Now and then more than there are: the planner has a budget.
    const most = workers + (below(8) === 0 ? 1 : 0);
    const prefill = below(most);
    const both = below(4) === 0 ? 1 + below(most - prefill) : 0;
    const decode = most - prefill - both;
    const counts = { prefill: ranks * prefill, decode: ranks * decode, both: ranks * both };
    return { kind: "pin", model: simModel, counts, forMs };
  }

  async #order(order: Pick<PlanOrder, "kind" | "model" | "counts" | "move" | "forMs">) {
    const { registry, clock, log } = this.#parts;
    const id = `order-${this.#given.length}`;
    this.#given.push(id);
    const text = encodeRecord("planOrder", {
      ...{ id, by: "an operator", reason: "a simulated whim", ...order },
      givenAt: new Date(clock.wallMs()).toISOString(),
    });
    const { kind, counts, forMs } = order;
    if (kind !== "pin") this.#bindsUntilMs = Math.max(this.#bindsUntilMs, clock.nowMs() + forMs);
    log.line(`order ${id} ${kind} ${counts === undefined ? "" : JSON.stringify(counts)} ${forMs}`);
    await registry.put(keys("default").order(id), text, { ttlMs: forMs });
  }
}
