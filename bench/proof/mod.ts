/**
 * The proof that KV moved between tiers and processes gives the tokens of KV that stayed: prompts, houses, modes and the
 * comparison, for the command and for tests.
 * @module
 */
export * from "./modes.ts";
export * from "./prompts.ts";
export * from "./proof.ts";
export * from "./report.ts";
export { startFarHost } from "./far_host.ts";
export { House } from "./house.ts";
export type { HouseOptions } from "./house.ts";
