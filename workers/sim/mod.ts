/**
 * The cores of the simulated engine, for whoever runs them in virtual time: blocks, and how long steps take.
 * @module
 */
export { BlockPool } from "./core/block_pool.ts";
export type { BlockPlace } from "./core/block_pool.ts";
export { HostPool } from "./core/host_pool.ts";
export type { HostBlocks } from "./core/host_pool.ts";
export { mockerTime, profileTime } from "./core/step_time.ts";
export type { StepShape, StepTime } from "./core/step_time.ts";
export { TokenSource } from "./core/token_source.ts";
export type { PlainTokens } from "./core/token_source.ts";
export { registeredKvbms } from "../kv_store/kvbm_finder.ts";
export type { KvbmFinder } from "../kv_store/kvbm_finder.ts";
export { StoreLink } from "../kv_store/store_link.ts";
export type { ShellStore } from "../worker_shell.ts";
export type { SimEngine } from "./engine.ts";
export { readVocabulary } from "./vocabulary.ts";
export type { SimVocabulary } from "./vocabulary.ts";
