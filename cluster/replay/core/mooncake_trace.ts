import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { listOfIds } from "./replay_request.ts";
import type { ReplayRequest, Trace } from "./replay_request.ts";

/** Tokens of a block in Mooncake's traces. */
export const mooncakeBlockTokens = 512;

/** Most tokens of a prompt or answer that is believed. */
const mostTokens = 100_000_000;

/**
 * Reads a trace in Mooncake's format: JSON lines with `timestamp` (ms), `input_length`, `output_length` and `hash_ids`,
 * the ids of the prompt's 512-token blocks, each naming the block with all before it. Or `invalid_request` with the line.
 */
export function parseMooncake(name: string, text: string): Result<Trace> {
  const requests: ReplayRequest[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].trim() === "") continue;
    const bad = (what: string) =>
      fail("invalid_request", `Cannot read ${name}, line ${i + 1}: ${what}`);
    const row = jsonOf(lines[i]);
    if (row === undefined) return bad("it is no JSON object; is the file cut?");
    const { timestamp, input_length: input, output_length: output, hash_ids: ids } = row;
    if (!isNumber(timestamp, 0, Number.MAX_SAFE_INTEGER)) {
      return bad("timestamp must be milliseconds from 0 on");
    }
    if (!isNumber(input, 1, mostTokens) || !isNumber(output, 0, mostTokens)) {
      return bad("input_length must be a number of tokens from 1 on, output_length one from 0 on");
    }
    if (!Array.isArray(ids) || !ids.every((id) => isNumber(id, 0, 0xffff_ffff))) {
      return bad("hash_ids must be a list of block numbers from 0 on");
    }
    const whole = Math.floor(input / mooncakeBlockTokens);
    if (ids.length < whole) {
      return bad(
        `hash_ids has ${ids.length} blocks, input_length ${input} has ${whole} whole ones`,
      );
    }
    if (requests.length > 0 && timestamp < requests[requests.length - 1].atMs) {
      return bad("its timestamp is before that of the line above; sort the file");
    }
    requests.push({
      ...{ atMs: timestamp, inputTokens: input, outputTokens: Math.max(1, output) },
      list: listOfIds(ids, whole),
    });
  }
  if (requests.length === 0) return fail("invalid_request", `Cannot replay ${name}: it is empty`);
  return ok({ name, blockSize: mooncakeBlockTokens, requests });
}

function jsonOf(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    // Said by the caller, with the line's number.
    return undefined;
  }
}

function isNumber(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && value >= least && value <= most;
}
