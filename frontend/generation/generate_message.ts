import type { BlockHolder, GenerateRequest, InstanceId, StreamKey } from "@pixii/wire";
import type { StreamOutput } from "../core/stream_output.ts";
import type { StreamRequest } from "./stream.ts";

/** Longest time that is told to a worker. */
const longestMs = 0xffff_ffff;

/** What a worker is asked to run: a stream's request from where its output is now, with the milliseconds left of it. */
export function generateMessage(
  request: StreamRequest,
  now: {
    readonly key: StreamKey;
    readonly tag: number;
    readonly frontend: InstanceId;
    readonly dpRank: number | undefined;
    readonly output: StreamOutput;
    readonly nowMs: number;
    /** Who else has blocks of it. */
    readonly holder?: BlockHolder;
  },
): GenerateRequest {
  const { key, tag, frontend, dpRank, output } = now;
  const tokens = output.allTokens();
  return {
    ...{ ...key, tag, frontend, dpRank, model: request.model.name },
    tokens: new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength),
    emitted: output.next,
    choice: request.choice,
    sampling: request.sampling,
    stop: request.stop,
    tenantSalt: request.tenantSalt,
    adapter: "",
    priority: request.hints.priority ?? 0,
    holder: now.holder,
    remainingMs: Math.min(longestMs, Math.max(0, Math.floor(request.deadlineMs - now.nowMs))),
  };
}
