/** Asks itself a question over the bus at the address that it is given, and prints the answer or what went wrong. */
import { systemClock } from "../clock_system.ts";
import { connectNats } from "../bus_nats.ts";
import { recordingLog } from "../log_recording.ts";

const [address] = Deno.args;
const bus = await connectNats(new URL(address), { clock: systemClock(), log: recordingLog() });
if (bus.ok) {
  bus.value.serve("echo", (payload) => payload);
  const asked = new TextEncoder().encode("over TLS");
  const answer = await bus.value.request("echo", asked, { timeoutMs: 5_000 });
  console.log(answer.ok ? new TextDecoder().decode(answer.value) : answer.error.message);
  await bus.value[Symbol.asyncDispose]();
} else console.log(bus.error.message);
Deno.exit(0);
