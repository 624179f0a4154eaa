/**
 * KV blocks below the GPU: the host tier in shared memory, its books, its socket, its events.
 * @module
 */
export { kvbmSchema } from "./config.ts";
export type { KvbmConfig } from "./config.ts";
export { kvbmSpec } from "./service.ts";
export { defaultPoolFolder, sweepPools } from "./pool_file.ts";
export { diskPattern, diskRule, readDiskPlan } from "./disk/disk_place.ts";
export type { DiskPlan } from "./disk/disk_place.ts";
export type { KvLayout, KvVerified } from "./kv_desk.ts";
