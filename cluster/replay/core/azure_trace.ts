import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { listOfIds } from "./replay_request.ts";
import type { ReplayRequest, Trace } from "./replay_request.ts";

const header = "TIMESTAMP,ContextTokens,GeneratedTokens";
const mostTokens = 100_000_000;

/**
 * Reads a trace in the format of Azure's LLM inference traces: CSV of arrival, prompt tokens, answer tokens. It says
 * nothing of contents, so no two prompts share a block. Or `invalid_request` with the line.
 */
export function parseAzure(name: string, text: string, blockSize: number): Result<Trace> {
  const lines = text.split(/\r?\n/);
  if (lines[0].trim() !== header) {
    return fail("invalid_request", `Cannot read ${name}, line 1: it must be ${header}`);
  }
  const requests: ReplayRequest[] = [];
  let startMs: number | undefined;
  let nextId = 0;
  for (let i = 1; i < lines.length; i++) {
    if (lines[i].trim() === "") continue;
    const bad = (what: string) =>
      fail("invalid_request", `Cannot read ${name}, line ${i + 1}: ${what}`);
    const cells = lines[i].split(",");
    if (cells.length !== 3) return bad(`it has ${cells.length} cells, not 3`);
    const wholeMs = Date.parse(`${cells[0].trim().replace(" ", "T").replace(/\.\d+$/, "")}Z`);
    const fraction = /\.(\d+)$/.exec(cells[0].trim())?.[1] ?? "0";
    const ms = wholeMs + 1000 * Number(`0.${fraction}`);
    const [input, output] = [Number(cells[1]), Number(cells[2])];
    if (Number.isNaN(ms)) return bad("the time must be like 2023-11-16 18:15:46.6805900");
    if (!(input >= 1 && input <= mostTokens && output >= 0 && output <= mostTokens)) {
      return bad("token counts must be numbers, the prompt's at least 1");
    }
    startMs ??= ms;
    const atMs = ms - startMs;
    if (requests.length > 0 && atMs < requests[requests.length - 1].atMs) {
      return bad("its time is before that of the line above; sort the file");
    }
    const whole = Math.floor(input / blockSize);
    const ids = Uint32Array.from({ length: whole }, () => nextId++);
    const outputTokens = Math.max(1, output);
    requests.push({ atMs, inputTokens: input, outputTokens, list: listOfIds(ids, whole) });
  }
  if (requests.length === 0) return fail("invalid_request", `Cannot replay ${name}: it is empty`);
  return ok({ name, blockSize, requests });
}
