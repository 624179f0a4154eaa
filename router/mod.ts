/**
 * Which worker: prefix index, load ledger, cost, pick.
 * @module
 */
export { routerSchema, rulesOf } from "./config.ts";
export type { RouterConfig } from "./config.ts";
export { routerSpec } from "./service.ts";
export { queueRulesOf } from "./queue_options.ts";
