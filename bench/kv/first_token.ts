/** One streamed request: when its first token came, and where its prompt came from. */
export interface FirstToken {
  readonly ttftMs: number;
  /** Prompt tokens that were not computed, by tier; empty where the server does not say. */
  readonly tiers: Readonly<Record<string, number>>;
}

/** Sends a request and reads its whole answer; the first token is the first event whose data `isFirst` takes. */
export async function firstToken(
  url: string,
  { body, headers = {}, isFirst }: {
    readonly body: Readonly<Record<string, unknown>>;
    readonly headers?: Readonly<Record<string, string>>;
    readonly isFirst: (data: string) => boolean;
  },
): Promise<FirstToken> {
  const startedMs = performance.now();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pixii-debug": "1", ...headers },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  let ttftMs: number | undefined;
  let rest = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (ttftMs === undefined && line.startsWith("data: ") && isFirst(line.slice(6))) {
        ttftMs = performance.now() - startedMs;
      }
    }
  }
  if (ttftMs === undefined) throw new Error("no token came");
  const cached = response.headers.get("x-pixii-cached-tokens") ?? "";
  const tiers = Object.fromEntries(
    cached.split(",").filter((pair) => pair !== "").map((pair) => {
      const [tier, count] = pair.split("=");
      return [tier, Number(count)];
    }),
  );
  return { ttftMs, tiers };
}
