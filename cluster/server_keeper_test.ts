import assert from "node:assert/strict";
import { findServer, recordingLog, startNats, systemClock } from "@pixii/runtime";
import { ServerKeeper } from "./server_keeper.ts";

const ignore = findServer("nats-server") === undefined;
if (ignore) console.log("skipped: nats-server is not on PATH (apt-get install nats-server)");

Deno.test({
  name: "ServerKeeper starts a killed server again on its port and ends it when disposed",
  ignore,
  async fn() {
    const clock = systemClock();
    const server = await startNats({ clock });
    const pids: number[] = [];
    const again = Promise.withResolvers<void>();
    const keeper = new ServerKeeper({
      name: "nats-server",
      server,
      clock,
      log: recordingLog(),
      backOff: { firstMs: 1, maxMs: 10, stableMs: 1_000 },
      runFolder: {
        noteChild: (pid) => {
          if (pids.push(pid) === 2) again.resolve();
          return Promise.resolve();
        },
        forgetChild: () => Promise.resolve(),
      },
    });
    const { url } = server;
    Deno.kill(server.pid, "SIGKILL");
    await again.promise;
    assert.equal(server.url, url);
    assert.notEqual(pids[0], pids[1]);
    (await Deno.connect({ port: Number(new URL(url).port) })).close();
    await keeper[Symbol.asyncDispose]();
    await assert.rejects(Deno.connect({ port: Number(new URL(url).port) }));
  },
});
