/** One streamed completion as the client saw it. */
export interface ChatTiming {
  readonly outputTokens: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly text: string;
  /** Instance of the worker that answered, where the frontend says it. */
  readonly worker: string | undefined;
  /** Milliseconds from sending to the first content chunk, and to the end. */
  readonly ttftMs: number;
  readonly totalMs: number;
}

/** Sends one streamed chat completion and times it. Throws on any answer but a complete stream. */
export function chat(url: string, body: Record<string, unknown>): Promise<ChatTiming> {
  return timedStream(`${url}/v1/chat/completions`, body);
}

/** As `chat`, for a text completion; `signal` ends it. */
export function complete(
  url: string,
  body: Record<string, unknown>,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ChatTiming> {
  return timedStream(`${url}/v1/completions`, body, options);
}

async function timedStream(
  url: string,
  body: Record<string, unknown>,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<ChatTiming> {
  const started = performance.now();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pixii-debug": "1" },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  let ttftMs = 0;
  let answer = "";
  let usage: Record<string, any> | undefined;
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const chunk = JSON.parse(line.slice(6));
      if (chunk.error !== undefined) throw new Error(JSON.stringify(chunk.error));
      const choice = chunk.choices?.[0];
      const piece: string = choice?.delta?.content ?? choice?.text ?? "";
      if (ttftMs === 0 && piece !== "") ttftMs = performance.now() - started;
      answer += piece;
      if (chunk.usage) usage = chunk.usage;
    }
  }
  if (usage === undefined) throw new Error("the stream ended without usage");
  return {
    outputTokens: usage.completion_tokens,
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
    text: answer,
    worker: response.headers.get("x-pixii-worker") ?? undefined,
    ttftMs,
    totalMs: performance.now() - started,
  };
}

/** Runs `total` chats, `concurrency` at a time; tokens per second over the whole, and each timing. */
export async function closedLoop(
  options: { concurrency: number; total: number; one: (index: number) => Promise<ChatTiming> },
): Promise<{ readonly tokensPerSecond: number; readonly timings: readonly ChatTiming[] }> {
  const timings: ChatTiming[] = [];
  let next = 0;
  const started = performance.now();
  const lanes = Array.from({ length: options.concurrency }, async () => {
    while (next < options.total) timings.push(await options.one(next++));
  });
  await Promise.all(lanes);
  const seconds = (performance.now() - started) / 1000;
  const tokens = timings.reduce((sum, timing) => sum + timing.outputTokens, 0);
  return { tokensPerSecond: tokens / seconds, timings };
}

const words =
  ("time person year way day thing man world life hand part child eye woman place work week case " +
    "point company number group problem fact water room mother area money story month lot right study book job " +
    "word business issue side kind head house service friend father power hour game line end member law car " +
    "city community name president team minute idea body information back parent face others level office door " +
    "health art war history party result change morning reason research girl guy moment air teacher force")
    .split(" ");

/** `count` words that no other (seed) repeats from the first word on: nothing of it can come from a prefix cache. */
export function uniquePrompt(count: number, seed: number): string {
  let state = (seed * 2654435761) >>> 0;
  const text = [`Note ${seed}:`];
  for (let i = 0; i < count - 3; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text.push(words[(state >>> 8) % words.length]);
  }
  return text.join(" ");
}
