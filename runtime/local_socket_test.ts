import assert from "node:assert/strict";
import type { FrameSocket } from "./frame_socket.ts";
import { connectLocal, LocalFrameServer } from "./local_socket.ts";
import { recordingLog } from "./log_recording.ts";

const log = recordingLog("test", []);
const ignore = Deno.build.os === "windows";

Deno.test({
  name: "a local server answers frames, takes a left-behind path over and refuses a taken one",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/s.sock`;
    // What a killed program leaves: the name of a socket that nobody listens on.
    const left = Deno.listen({ transport: "unix", path: `${folder}/other.sock` });
    await Deno.rename(`${folder}/other.sock`, path);
    left.close();
    await Deno.stat(path);
    const serve = async (socket: FrameSocket) => {
      for await (const frame of socket.frames()) {
        socket.send(frame.kind + 1, frame.id, frame.name, frame.payload);
      }
    };
    const server = await LocalFrameServer.open({ path, log, serve });
    assert.ok(server.ok, JSON.stringify(server));
    const taken = await LocalFrameServer.open({ path, log, serve });
    assert.ok(!taken.ok && /another program/.test(taken.error.message));
    const client = await connectLocal(path, log);
    assert.ok(client.ok);
    client.value.send(1, 7, "n", new Uint8Array([1, 2]));
    const frames = client.value.frames();
    const answer = await frames.next();
    assert.deepEqual({ ...answer.value, payload: [...answer.value!.payload] }, {
      ...{ kind: 2, id: 7, name: "n", payload: [1, 2] },
    });
    await server.value[Symbol.asyncDispose]();
    assert.equal((await frames.next()).done, true);
    const gone = await connectLocal(path, log);
    assert.ok(!gone.ok && gone.error.code === "no_responders");
    await Deno.remove(folder, { recursive: true });
  },
});
