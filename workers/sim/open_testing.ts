import assert from "node:assert/strict";
import { systemClock } from "@pixii/runtime";
import { bundledModel } from "../testing/models.ts";
import type { SimEngine } from "./engine.ts";
import { openSimEngines } from "./open.ts";
import type { SimOptions } from "./open.ts";

/** Options for tests: the bundled vocabulary, few blocks, no waiting. */
export function simOptions(options: Partial<SimOptions> = {}): SimOptions {
  return {
    path: bundledModel("micro.gguf"),
    ranks: 1,
    ctx: 1024,
    maxSeqs: 4,
    maxWaiting: 8,
    blockSize: 16,
    blocks: 128,
    hostBlocks: 0,
    batchTokens: 256,
    chunkTokens: 0,
    maxPrefills: 0,
    speed: Infinity,
    profile: "",
    clock: systemClock(),
    ...options,
  };
}

/** Ranks that must open. */
export async function openSims(options: Partial<SimOptions> = {}): Promise<readonly SimEngine[]> {
  const opened = await openSimEngines(simOptions(options));
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}
