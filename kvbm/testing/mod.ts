/**
 * What benchmarks and tests of other members use of the block manager.
 * @module
 */
export { DiskTrial } from "./disk_trial.ts";
export type { DiskTrialOptions } from "./disk_trial.ts";
export { PeerTrial, PeerTrialGiver } from "./peer_trial.ts";
export type { PeerTrialOptions } from "./peer_trial.ts";
export { startKvbmChild } from "./kvbm_child.ts";
export type { KvbmChild } from "./kvbm_child.ts";
