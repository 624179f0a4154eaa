import { keys } from "@pixii/wire";
import type { LoadReport, ModelCard } from "@pixii/wire";
import { RouterState } from "../core/router_state.ts";
import type { RouterRules } from "../core/router_rules.ts";
import { cardOf, instanceOf, reportOf } from "./samples.ts";

/** A router's state with the cards of workers 1 to `workers`, all just heard of at time 0. */
export function stateOf(
  workers: number,
  rules: Partial<RouterRules> = {},
  more: Partial<ModelCard> = {},
): RouterState {
  const state = new RouterState({
    ...{ router: instanceOf(0xaa), policy: "kv", hungStepMs: 30_000, sessionTtlMs: 60_000 },
    ...{ indexBytes: 2 ** 24, keptDecisions: 16 },
    kv: {
      ...{ temperature: 0, prefillScale: 1, activeWeight: 0 },
      ...{ deviceCredit: 1, hostCredit: 0.75, diskCredit: 0.25 },
    },
    ...rules,
  });
  for (let number = 1; number <= workers; number++) {
    putCard(state, cardOf(number, more));
    hear(state, number);
  }
  return state;
}

/** Puts a card under its key. */
export function putCard(state: RouterState, card: ModelCard, nowMs = 0): string {
  const key = keys("default").model(card.hash, card.instance);
  state.fleet.put(key, card, nowMs);
  return key;
}

/** An idle report of a worker, unless said otherwise. */
export function hear(
  state: RouterState,
  number: number,
  more: Partial<LoadReport> & { readonly nowMs?: number } = {},
): void {
  const { nowMs = 0, ...fields } = more;
  state.report(reportOf(number, fields), nowMs);
}
