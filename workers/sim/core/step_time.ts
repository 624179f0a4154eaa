import type { WorkerTimes } from "@pixii/wire";

/** What one step computes, as far as its time depends on it. */
export interface StepShape {
  /** Prompt tokens computed, over all sequences of the step. */
  readonly prefillTokens: number;
  /** Tokens that lie before those, each of them counted: their sum over `prefillTokens` is the mean context. */
  readonly prefillContext: number;
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

/**
 * The time of a measured worker. All prompts of a step count as one run of tokens behind their mean context: attention
 * takes as long, and an engine that computes one prompt a step (llama) is met exactly.
 */
export function profileTime(times: WorkerTimes): (shape: StepShape) => StepTime {
  const { blockSize } = times.profile;
  return ({ prefillTokens: n, prefillContext, decodeSequences, activeTokens, hostTokens }) => {
    const host = hostTokens === 0
      ? 0
      : times.onboardMs("host", { blocks: hostTokens / blockSize, blockSize }) ??
        hostTokens * defaultHostTokenMs;
    return {
      prefillMs: (n === 0 ? 0 : times.prefillMs(n, prefillContext / n)) + host,
      decodeMs: times.decodeStepMs(decodeSequences, activeTokens),
    };
  };
}
