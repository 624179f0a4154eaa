/** A worker's process that reserves slots, pins a block and then holds both until it is killed. Argument: the socket. */
import { helloOf, ScriptedClient } from "./scripted_client.ts";
import type { InstanceId } from "@pixii/wire";

const client = await ScriptedClient.connect(Deno.args[0]);
await client.hello(helloOf({ instance: "00000000000000bb" as InstanceId }));
const reserved = await client.ask("reserve", [], 3);
const found = await client.ask("find", [1, 0], 7);
console.log(JSON.stringify({ reserved, found }));
await new Promise(() => setInterval(() => {}, 1000));
