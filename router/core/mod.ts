/**
 * The router's core, for whoever runs it in virtual time: everything it knows, and its decisions.
 * @module
 */
export type { Decision, DecisionMoment } from "./decide.ts";
export type { QueueRules } from "./queue_rules.ts";
export { RouteDesk } from "./route_desk.ts";
export { RouterState } from "./router_state.ts";
export type { RouterRules } from "./router_rules.ts";
export { defaultTtftWeights } from "./ttft_cost.ts";
export type { TtftWeights } from "./ttft_cost.ts";
export { readChange } from "./decision_change.ts";
export type { DecisionChange } from "./decision_change.ts";
export { explainDecision } from "./explain.ts";
export { redecide, replayDecision, whatIf } from "./replay_decision.ts";
export type { Redecision, ReplayResult } from "./replay_decision.ts";
