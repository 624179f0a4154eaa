import assert from "node:assert/strict";
import { startEtcd, startNats } from "./local_servers.ts";
import type { LocalServer } from "./local_servers.ts";
import { findServer } from "./server_binary.ts";
import { StartError } from "./start_error.ts";

async function checkLife(server: LocalServer, answers: () => Promise<boolean>): Promise<void> {
  const { url, pid } = server;
  assert.ok(await answers());
  await server.kill();
  assert.equal(await answers().catch(() => false), false);
  await server.restart();
  assert.ok(await answers());
  assert.equal(server.url, url);
  assert.notEqual(server.pid, pid);
  await server[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  assert.equal(await answers().catch(() => false), false);
}

Deno.test({
  name: "startNats() starts, restarts on the same port and ends nats-server",
  ignore: findServer("nats-server") === undefined,
  async fn() {
    const server = await startNats();
    const port = Number(new URL(server.url).port);
    await checkLife(server, async () => {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      return await connection.read(new Uint8Array(5)) === 5;
    });
  },
});

Deno.test({
  name: "startEtcd() starts, restarts on the same port and ends etcd",
  ignore: findServer("etcd") === undefined,
  async fn() {
    const server = await startEtcd();
    await checkLife(server, async () => {
      const answer = await fetch(`${server.url}/health`);
      return (await answer.text()).includes("true");
    });
  },
});

Deno.test({
  name: "startNats() says why when the port is taken",
  ignore: findServer("nats-server") === undefined,
  async fn() {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await assert.rejects(startNats({ port: taken.addr.port }), (error: Error) => {
      assert.ok(error instanceof StartError);
      assert.match(error.message, /Cannot start nats-server on .*address already in use/s);
      return true;
    });
  },
});

Deno.test("findServer() finds nothing under a name that no program has", () => {
  assert.equal(findServer("no-such-server-here"), undefined);
});
