/** What is promised of a model, in ms: 95 of 100 requests have their first token and each further token within this. */
export interface ServiceGoal {
  /** Time to first token, queue included. */
  readonly ttftMs: number;
  /** Time between tokens. */
  readonly itlMs: number;
}

/** What is asked of a model: means over a window. */
export interface Mix {
  /** Requests per second. */
  readonly rate: number;
  /** Prompt tokens, and how many of them have to be computed. */
  readonly isl: number;
  readonly newTokens: number;
  /** Output tokens. */
  readonly osl: number;
}

/** How unlike each other requests are; squared coefficients of variation, 1 = as in a Poisson process. */
export interface Spread {
  readonly arrivals: number;
  /** Of the time that a prompt takes. */
  readonly prompts: number;
  /** How much longer than the mean the prompt at the 95th percentile takes. */
  readonly longPrompt: number;
}

/** Usual traffic: arrivals a little burstier than Poisson's, prompts as exponential lengths. */
export const usualSpread: Spread = { arrivals: 1.5, prompts: 1, longPrompt: 2.2 };
