/**
 * A bare `Deno.serve` that answers at once with canned chunks, one per `pull`: the floor of this runtime under the load
 * client, printed beside the figures of `bench:serve`. Arguments: port, output tokens, "stream" or "whole".
 */
const [port, tokens, kind] = Deno.args;
const encoder = new TextEncoder();
const chunk = encoder.encode(
  'data: {"id":"chatcmpl-0123456789abcdef0123456789abcdef","object":"chat.completion.chunk","created":1700000000,' +
    '"model":"bench","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}\n\n',
);
const done = encoder.encode("data: [DONE]\n\n");
const whole = JSON.stringify({
  choices: [{ index: 0, message: { role: "assistant", content: " word".repeat(Number(tokens)) } }],
});

function streamed(): Response {
  let left = Number(tokens);
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left-- > 0) return controller.enqueue(chunk);
      controller.enqueue(done);
      controller.close();
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, async (request) => {
  if (request.method === "GET") return new Response("ok");
  await request.json();
  return kind === "stream"
    ? streamed()
    : new Response(whole, { headers: { "content-type": "application/json" } });
});
