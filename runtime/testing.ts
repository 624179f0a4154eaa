export { testHost } from "./test_host.ts";
export type { TestHost } from "./test_host.ts";
