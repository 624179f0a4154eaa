/**
 * The other host of `kv_peer.ts`: gives blocks, and copies of the same bytes over a bare connection. Arguments: bytes of a
 * slot, blocks. Prints both addresses; ends with its standard input.
 */
import { recordingLog } from "@pixii/runtime";
import { PeerTrialGiver } from "@pixii/kvbm/testing";

const [slotBytes, blocks] = Deno.args.map(Number);
const poolPath = `/dev/shm/pixii-trial-giver-${Deno.pid}`;
const giver = await PeerTrialGiver.open({ poolPath, slotBytes, blocks, log: recordingLog() });
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

/** Every byte that comes is answered with all blocks. */
async function serve(connection: Deno.TcpConn): Promise<void> {
  connection.setNoDelay(true);
  const asked = new Uint8Array(1);
  while (await connection.read(asked) !== null) {
    for (let i = 0; i < blocks; i++) {
      const view = giver.view(i * slotBytes, slotBytes);
      for (let at = 0; at < slotBytes;) at += await connection.write(view.subarray(at));
    }
  }
  connection.close();
}

async function accept(): Promise<void> {
  for await (const connection of listener) void serve(connection);
}

void accept();
const { hostname, port } = listener.addr as Deno.NetAddr;
console.log(JSON.stringify({ blocks: giver.address, bare: `${hostname}:${port}` }));
await Deno.stdin.read(new Uint8Array(1));
await giver[Symbol.asyncDispose]();
Deno.exit(0);
