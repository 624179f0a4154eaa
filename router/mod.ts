/**
 * Which worker: prefix index, load ledger, cost, pick.
 * @module
 */
export { routerSchema, rulesOf } from "./config.ts";
export type { RouterConfig } from "./config.ts";
export { routerInside, routerSpec } from "./service.ts";
export type { RouterInside } from "./service.ts";
export { queueRulesOf } from "./queue_options.ts";
