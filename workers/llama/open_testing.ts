import assert from "node:assert/strict";
import { denoThreads, recordingLog, systemClock } from "@pixii/runtime";
import type { Engine } from "../engine.ts";
import { openLlamaEngine } from "./open_engine.ts";
import type { LlamaOptions } from "./engine.ts";

/** Options for tests: one thread, a small context, nothing cached. */
export function llamaOptions(path: string, options: Partial<LlamaOptions> = {}): LlamaOptions {
  return {
    path,
    ctx: 1024,
    kvTokens: 2048,
    maxSeqs: 4,
    maxWaiting: 8,
    threads: 1,
    kvType: "f16",
    kept: 24,
    deterministic: false,
    cacheFolder: "",
    threadsPort: denoThreads(),
    clock: systemClock(),
    log: recordingLog("llama", []),
    ...options,
  };
}

/** An engine on a model that must open. One at a time in a process: llama.cpp's log belongs to whoever loads. */
export async function openLlama(
  path: string,
  options: Partial<LlamaOptions> = {},
): Promise<Engine> {
  const opened = await openLlamaEngine(llamaOptions(path, options));
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

/** Why a model does not open. */
export async function refusalOfLlama(
  path: string,
  options: Partial<LlamaOptions> = {},
): Promise<string> {
  const opened = await openLlamaEngine(llamaOptions(path, options));
  if (opened.ok) await opened.value[Symbol.asyncDispose]();
  assert.ok(!opened.ok, `${path} opens`);
  return opened.error.message;
}
