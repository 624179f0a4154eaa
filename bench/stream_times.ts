/** When the parts of one streamed answer came, in milliseconds of `performance.now()`. */
export interface StreamTimes {
  readonly sentMs: number;
  /** Of each piece of text; a token each. */
  readonly tokenMs: readonly number[];
  readonly prefillWorker: string | undefined;
}

/** What is asked: a prompt of token ids, answered greedily by exactly `tokens` tokens. */
export interface StreamAsk {
  readonly url: string;
  readonly model: string;
  readonly prompt: readonly number[];
  readonly tokens: number;
  readonly signal?: AbortSignal;
  /** Every piece, as it comes. */
  readonly onToken?: (ms: number) => void;
}

/** Streams one completion to its end. Throws where it is refused. */
export async function streamTimes(ask: StreamAsk): Promise<StreamTimes> {
  const { url, model, prompt, tokens, signal, onToken } = ask;
  const sentMs = performance.now();
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pixii-debug": "1" },
    body: JSON.stringify({
      ...{ model, prompt, max_tokens: tokens, temperature: 0, ignore_eos: true, stream: true },
    }),
    signal,
  });
  if (response.body === null || response.status !== 200) throw new Error(await response.text());
  const tokenMs: number[] = [];
  let rest = "";
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      // A token that is half of a letter comes with the next one.
      if (!line.startsWith("data: {") || !/"text":"[^"]/.test(line)) continue;
      const nowMs = performance.now();
      tokenMs.push(nowMs);
      onToken?.(nowMs);
    }
  }
  const prefillWorker = response.headers.get("x-pixii-prefill-worker") ?? undefined;
  return { sentMs, tokenMs, prefillWorker };
}

/** A prompt of `length` token ids that no other seed begins with. */
export function seededPrompt(seed: number, length: number): number[] {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 300 + (state >>> 8) % 1_700;
  });
}
