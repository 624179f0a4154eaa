/**
 * What a block manager is made of beside memory, threads and sockets, for whoever runs it under another clock.
 * @module
 */
export { FetchDesk } from "./fetch_desk.ts";
export { KvStreams } from "./kv_stream.ts";
export { SnapshotShelf } from "./snapshot_shelf.ts";
export { StoreServer } from "./store_server.ts";
export { answerControl } from "./tier_control.ts";
