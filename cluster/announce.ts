import type { ReadyFacts } from "./ready_file.ts";

/** The lines for people before anything is started. */
export function startLines(facts: {
  readonly version: string;
  readonly models: readonly string[];
  readonly topology: string;
  readonly why: string;
}): readonly string[] {
  return [
    `Pixii ${facts.version}`,
    ...facts.models.map((line) => `model     ${line}`),
    `topology  ${facts.topology}: ${facts.why}`,
  ];
}

/** The lines for people when every model answers: the time, the URL, a curl line to paste. */
export function readyLines(
  facts: ReadyFacts & { readonly page: boolean },
  elapsedMs: number,
): readonly string[] {
  return [
    `ready in ${(elapsedMs / 1000).toFixed(1)} s`,
    facts.url,
    ...(facts.page ? ["Open it in a browser: chat, workers, decisions, planner."] : []),
    "",
    curlLine(facts.url, facts.models[0]),
    "",
    "Ctrl-C ends it.",
  ];
}

/** A curl command that works when pasted into a shell. */
export function curlLine(url: string, model: string): string {
  const body = JSON.stringify({
    model,
    temperature: 0,
    messages: [
      // Small models answer better to it than to the system line of their own template.
      { role: "system", content: "You are a helpful AI assistant." },
      { role: "user", content: "What is the capital of France?" },
    ],
  });
  // Inside single quotes a shell takes everything but a single quote.
  const quoted = `'${body.replaceAll("'", `'\\''`)}'`;
  return `curl ${url}/v1/chat/completions -H 'content-type: application/json' -d ${quoted}`;
}
