/**
 * KV blocks below the GPU. Today it only registers: workers keep KV on the device.
 * @module
 */
export { kvbmSchema } from "./config.ts";
export type { KvbmConfig } from "./config.ts";
export { kvbmSpec } from "./service.ts";
