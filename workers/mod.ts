/**
 * Engines behind one interface, and the program that serves one of them.
 * @module
 */
export type { WorkerConfig } from "./config.ts";
export { workerSchema } from "./config.ts";
export type * from "./engine.ts";
export { openHostStore } from "./kv_store/open_store.ts";
export { openEngines, simWorkerSpec, startWorkerShell, workerSpec } from "./service.ts";
