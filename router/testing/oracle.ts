/**
 * The Map tree and the duel of it with the index, for those who measure and prove the index.
 * @module
 */
export { IndexDuel } from "./index_duel.ts";
export { MapIndex } from "./map_index.ts";
export { instanceOf, modelHash } from "./samples.ts";
export { stateOf } from "./state_of.ts";
