/**
 * What tests of every member need: where the real servers are, and how to run them.
 * @module
 */
export { findServer } from "./server_binary.ts";
export { startEtcd, startNats } from "./local_servers.ts";
export type { LocalServer, LocalServerOptions } from "./local_servers.ts";
export { testHost } from "./test_host.ts";
export type { TestHost } from "./test_host.ts";
