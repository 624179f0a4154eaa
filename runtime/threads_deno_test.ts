import assert from "node:assert/strict";
import { denoThreads } from "./threads_deno.ts";

const moduleOf = (source: string) => new URL("data:text/javascript," + encodeURIComponent(source));

Deno.test("denoThreads() passes messages both ways and moves buffers", async () => {
  const url = moduleOf("onmessage = (event) => postMessage(event.data.byteLength)");
  using thread = denoThreads().start(url, "echo");
  const answer = Promise.withResolvers<unknown>();
  thread.onMessage(answer.resolve);
  const bytes = new Uint8Array(1000);
  thread.post(bytes, [bytes.buffer]);
  assert.equal(await answer.promise, 1000);
  assert.equal(bytes.byteLength, 0);
});

for (
  const [what, source] of [
    ["an uncaught error", "throw new Error('broken thread')"],
    ["an unhandled rejection", "Promise.reject(new Error('broken thread'))"],
  ]
) {
  Deno.test(`denoThreads() reports ${what} and the program goes on`, async () => {
    using thread = denoThreads().start(moduleOf(source), "broken");
    const error = await new Promise<Error>((resolve) => thread.onError(resolve));
    assert.match(error.message, /broken thread/);
  });
}
