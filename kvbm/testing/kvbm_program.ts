/**
 * A kvbm over an in-memory bus and registry, for those who measure its socket. Arguments: its flags. Prints the socket's
 * path; ends with its standard input.
 */
import { parseConfig, startService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import { kvbmSchema } from "../config.ts";
import { kvbmSpec } from "../service.ts";

const parsed = parseConfig(kvbmSchema, { args: Deno.args, env: {} });
if (!("config" in parsed)) throw new Error(JSON.stringify(parsed));
const running = await startService(kvbmSpec, parsed.config, testHost());
const pool = running.service.adminRoutes!["/pool"](new URL("http://x/pool")) as { socket: string };
console.log(pool.socket);
await Deno.stdin.read(new Uint8Array(1));
await running.stop();
Deno.exit(0);
