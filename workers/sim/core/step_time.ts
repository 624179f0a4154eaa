/** What one step computes, as far as its time depends on it. */
export interface StepShape {
  /** Prompt tokens computed, over all sequences of the step. */
  readonly prefillTokens: number;
  /** Sequences that decode one token. */
  readonly decodeSequences: number;
  /** Tokens of context that those sequences attend to. */
  readonly activeTokens: number;
  /** Tokens all blocks together hold. */
  readonly capacityTokens: number;
  /** Tokens taken from the host tier. */
  readonly hostTokens: number;
}

/** Milliseconds of a step's two halves at speed 1. */
export interface StepTime {
  readonly prefillMs: number;
  readonly decodeMs: number;
}

/**
 * Coefficients of a step's time, each a number of milliseconds >= 0. A step takes `stepMs`, plus, where it computes
 * prompts, `prefillMs + prefillTokenMs n + prefillTokenSquaredMs n^2` for n prompt tokens, plus, where it decodes,
 * `decodeMs + decodeSequenceMs s + decodeContextTokenMs c` for s sequences over c tokens of context, plus `hostTokenMs`
 * per token brought back from the host tier.
 */
export interface TimeProfile {
  readonly stepMs: number;
  readonly prefillMs: number;
  readonly prefillTokenMs: number;
  readonly prefillTokenSquaredMs: number;
  readonly decodeMs: number;
  readonly decodeSequenceMs: number;
  readonly decodeContextTokenMs: number;
  readonly hostTokenMs: number;
}

/** Names of a profile's coefficients. */
export const profileFields = [
  "stepMs",
  "prefillMs",
  "prefillTokenMs",
  "prefillTokenSquaredMs",
  "decodeMs",
  "decodeSequenceMs",
  "decodeContextTokenMs",
  "hostTokenMs",
] as const satisfies readonly (keyof TimeProfile)[];

/** 128 KiB of KV a token (an 8 B llama in f16) over 64 GB/s, the rate that Dynamo's mocker takes for transfers. */
const defaultHostTokenMs = 131_072 / 64e9 * 1000;

/**
 * The default: the polynomials of NVIDIA Dynamo's mocker (lib/mocker, vLLM shape): prefill in the new tokens n of the
 * step, 4.209989e-7 n^2 + 1.518344e-2 n + 16.50142 ms, decode in the share p of the KV cache that is in use,
 * max(1, -25.74 p^2 + 54.01 p + 5.74) ms. A step that does both takes both.
 */
export function mockerTime(shape: StepShape): StepTime {
  const { prefillTokens: n, decodeSequences, activeTokens, capacityTokens, hostTokens } = shape;
  const p = Math.min(1, activeTokens / capacityTokens);
  const prefillMs = n === 0 ? 0 : 4.209989e-7 * n * n + 1.518344e-2 * n + 16.50142;
  const decodeMs = decodeSequences === 0 ? 0 : Math.max(1, -25.74 * p * p + 54.01 * p + 5.74);
  return { prefillMs: prefillMs + hostTokens * defaultHostTokenMs, decodeMs };
}

/** The time function of a profile. `stepMs` is counted to the half that is there, to prefill where both are. */
export function profileTime(profile: TimeProfile): (shape: StepShape) => StepTime {
  return ({ prefillTokens: n, decodeSequences, activeTokens, hostTokens }) => {
    const prefillMs = n === 0 ? 0 : profile.stepMs + profile.prefillMs +
      profile.prefillTokenMs * n + profile.prefillTokenSquaredMs * n * n;
    const decodeMs = decodeSequences === 0 ? 0 : (n === 0 ? profile.stepMs : 0) + profile.decodeMs +
      profile.decodeSequenceMs * decodeSequences + profile.decodeContextTokenMs * activeTokens;
    return { prefillMs: prefillMs + hostTokens * profile.hostTokenMs, decodeMs };
  };
}
