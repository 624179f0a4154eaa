/**
 * Engines behind one interface, and the program that serves one of them.
 * @module
 */
export type { WorkerConfig } from "./config.ts";
export { workerSchema } from "./config.ts";
export type * from "./engine.ts";
export { startWorkerShell, workerSpec } from "./service.ts";
