import type { ProofPrompt } from "./prompts.ts";

/** What one request gave. */
export interface ProofAnswer {
  readonly text: string;
  /** The tokens as they are spelled, and their log-probabilities to the last digit; undefined where they were not asked for. */
  readonly voice:
    | { readonly tokens: readonly string[]; readonly logprobs: readonly number[] }
    | undefined;
  readonly promptTokens: number;
  /** Prompt tokens that were not computed, by the tier they came from. */
  readonly tiers: Readonly<Record<string, number>>;
  /** The worker that computed the prompt, where it was another than the one that went on. */
  readonly prefillWorker: string | undefined;
}

/** Longest wait for an answer. */
const answerMs = 180_000;

interface Completion {
  readonly choices: readonly {
    readonly text: string;
    readonly logprobs: { readonly tokens: string[]; readonly token_logprobs: number[] } | null;
  }[];
  readonly usage: { readonly prompt_tokens: number };
}

/** Sends a prompt, text or token ids; throws what the house answers where it is no completion. */
export async function askOnce(
  url: string,
  ask: {
    readonly model: string;
    readonly prompt: string | readonly number[];
    readonly headers?: Readonly<Record<string, string>>;
    /** Asks for log-probabilities too; a prompt of such a request is never split. */
    readonly isVoiced: boolean;
  } & Pick<ProofPrompt, "maxTokens" | "temperature" | "seed">,
): Promise<ProofAnswer> {
  const { model, prompt, temperature, seed, maxTokens, isVoiced, headers = {} } = ask;
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pixii-debug": "1", ...headers },
    body: JSON.stringify({
      ...{ model, prompt, temperature, seed, max_tokens: maxTokens },
      ...{ ignore_eos: true, ...(isVoiced ? { logprobs: 0 } : {}) },
    }),
    signal: AbortSignal.timeout(answerMs),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${body.slice(0, 300)}`);
  const { choices, usage } = JSON.parse(body) as Completion;
  const [{ text, logprobs }] = choices;
  return {
    text,
    voice: logprobs === null
      ? undefined
      : { tokens: logprobs.tokens, logprobs: logprobs.token_logprobs },
    promptTokens: usage.prompt_tokens,
    tiers: tiersOf(response.headers.get("x-pixii-cached-tokens") ?? ""),
    prefillWorker: response.headers.get("x-pixii-prefill-worker") ?? undefined,
  };
}

/** `device=0,host=128` as an object. */
function tiersOf(text: string): Record<string, number> {
  const pairs = text.split(",").filter((pair) => pair.includes("=")).map((pair) => {
    const [tier, count] = pair.split("=");
    return [tier.trim(), Number(count)] as const;
  });
  return Object.fromEntries(pairs);
}
