import type { PolicyName } from "@pixii/wire";
import { priceKv } from "./kv_cost.ts";
import type { KvWeights } from "./kv_cost.ts";
import { pickAny, pickCheapest, pickSoftmax, pickTwo } from "./pick.ts";
import type { Draw } from "./pick.ts";
import { addTerm } from "./scored.ts";
import type { Scored } from "./scored.ts";
import { priceTtft } from "./ttft_cost.ts";
import type { TtftWeights } from "./ttft_cost.ts";

/** Weights of all policies, by policy; numbers only, so that a record can name and change each. Never changed in place. */
export interface PolicyWeights {
  readonly kv: KvWeights;
  readonly ttft: TtftWeights;
}

/** All that a choice rests on besides its candidates and chance; plain data, kept with the decision as it is. */
export interface ChoiceInput {
  readonly policy: PolicyName;
  /** Prompt tokens. */
  readonly isl: number;
  readonly weights: PolicyWeights;
  /** The place among the candidates of the one that the request's session is bound to. */
  readonly sessionPlace: number | undefined;
}

/** What was chosen. */
export interface Choice {
  /** The candidates that were looked at, priced. */
  readonly looked: readonly Scored[];
  readonly chosen: Scored;
}

/**
 * Prices the candidates and picks one. Reads nothing but its arguments: with the same candidates, input and numbers it
 * gives the same choice, bit for bit. `all` is not empty, its terms are.
 */
export function choose(all: readonly Scored[], input: ChoiceInput, draw: Draw): Choice {
  const { policy, weights: { kv } } = input;
  const session = input.sessionPlace === undefined ? undefined : all[input.sessionPlace];
  const looked = policy === "power-of-two" && session === undefined ? pickTwo(all, draw) : all;
  price(looked, input);
  if (session !== undefined) {
    // The term lifts it to the best, so that terms still sum to a cost that explains the choice.
    const least = Math.min(...looked.map((one) => one.cost));
    addTerm(session, "affinity", least - session.cost);
    return { looked, chosen: session };
  }
  switch (policy) {
    case "kv":
      if (kv.temperature > 0) {
        return { looked, chosen: pickSoftmax(looked, kv.temperature, draw) };
      }
      return { looked, chosen: pickCheapest(looked, draw) };
    case "random":
      return { looked, chosen: pickAny(looked, draw) };
    case "round-robin":
    case "power-of-two":
      // The first of equals: it waits the longest, or was drawn first.
      return { looked, chosen: pickCheapest(looked, () => 0) };
    case "ttft":
    case "least-loaded":
    case "direct":
      return { looked, chosen: pickCheapest(looked, draw) };
  }
}

function price(candidates: readonly Scored[], input: ChoiceInput): void {
  const { policy, isl, weights } = input;
  if (policy === "kv") return priceKv(candidates, isl, weights.kv);
  if (policy === "ttft") return priceTtft(candidates, isl, weights.ttft);
  if (policy === "random") return;
  for (const one of candidates) {
    if (policy === "round-robin") addTerm(one, "turn", one.rank.lastTurn);
    else addTerm(one, "active", one.rank.load.requests);
  }
}
