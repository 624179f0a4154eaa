import type { ModelCard, RouteHints } from "@pixii/wire";
import type { QueueRules } from "../core/queue_rules.ts";
import { RouteDesk } from "../core/route_desk.ts";
import type { RouteOutcome, Settled } from "../core/route_desk.ts";
import type { RouterRules } from "../core/router_rules.ts";
import type { RouterState } from "../core/router_state.ts";
import { queueRules } from "./queue_rules.ts";
import { modelHash, requestOf, routeOf } from "./samples.ts";
import { hear, stateOf } from "./state_of.ts";

/** A desk before workers 1 to `workers` that take one request each, unless their card says otherwise. */
export class DeskWorld {
  readonly rules: QueueRules;
  readonly state: RouterState;
  readonly desk: RouteDesk;
  nowMs = 0;

  constructor(
    workers: number,
    more: Partial<QueueRules> = {},
    about: { readonly rules?: Partial<RouterRules>; readonly card?: Partial<ModelCard> } = {},
  ) {
    this.rules = queueRules(more);
    const rules = { busy: this.rules.busy, ...about.rules };
    this.state = stateOf(workers, rules, { maxSeqs: 1, ...about.card });
    this.desk = new RouteDesk(this.state, this.rules);
  }

  /** Now, and always the same luck. */
  get moment(): { readonly nowMs: number; readonly draw: () => number } {
    return { nowMs: this.nowMs, draw: () => 0.5 };
  }

  /** Request `number` comes. */
  ask(number: number, hints?: RouteHints, more: Parameters<typeof routeOf>[1] = {}): RouteOutcome {
    return this.desk.route(modelHash, routeOf(number, { hints, ...more }), this.moment);
  }

  /** The stream is over at its worker. */
  done(number: number, outputTokens = 0): void {
    const key = { requestId: requestOf(number), attempt: 0, leg: 0 };
    const entry = { op: "complete", ...key, outputTokens } as const;
    this.state.entry(entry, this.nowMs);
    this.desk.heard(entry);
  }

  /** The stream's prompt is computed. */
  began(number: number): void {
    const key = { requestId: requestOf(number), attempt: 0, leg: 0 };
    this.state.entry({ op: "first-token", ...key }, this.nowMs);
  }

  /** Time goes on while workers report. */
  advance(ms: number): void {
    this.nowMs += ms;
    for (const model of this.state.fleet.models.values()) {
      for (const { worker } of model.ranks) {
        hear(this.state, parseInt(worker.instance, 16), { nowMs: this.nowMs });
      }
    }
  }

  /** A pass, all books checked after it. */
  pass(): Settled[] {
    const settled = this.desk.pass(this.moment);
    this.desk.checkIntegrity();
    this.state.checkIntegrity();
    return settled;
  }

  /** What a pass ends: request number and worker number or code. */
  ends(): [number, number | string][] {
    return this.pass().map(({ waiting, outcome }) => [
      parseInt(waiting.request.requestId, 16),
      outcome.kind === "placed"
        ? parseInt(outcome.decision.rank.worker.instance, 16)
        : outcome.error.code,
    ]);
  }
}

/** Where a request was placed, as the worker's number; else what became of it. */
export function placeOf(outcome: RouteOutcome): number | string {
  return outcome.kind === "placed"
    ? parseInt(outcome.decision.rank.worker.instance, 16)
    : outcome.kind;
}
