import { createHash } from "node:crypto";
import { fail, ok, type Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import { feedFile, removeIfThere } from "./file_digest.ts";
import type { Progress } from "./progress.ts";
import { StallGuard } from "./stall_guard.ts";

/** Bounds of a download. There is none on the whole: while bytes flow it goes on. */
export interface FetchLimits {
  /** First answer of a source. */
  readonly connectMs: number;
  /** Silence after that. */
  readonly stallMs: number;
  /** Connections in a row that brought no new byte before it gives up. */
  readonly fruitlessTries: number;
  /** Wait before the second connection; doubles. */
  readonly backOffMs: number;
}

/** The bounds outside of tests. */
export const fetchLimits: FetchLimits = {
  connectMs: 3_000,
  stallMs: 20_000,
  fruitlessTries: 3,
  backOffMs: 500,
};

/** What `fetchFile` is told. */
export interface FetchFileOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the bytes go. What is there already is kept and the rest is asked for. */
  readonly partPath: string;
  readonly label: string;
  readonly bytes: number | undefined;
  /** Lower-case hex; undefined = take what comes. */
  readonly sha256: string | undefined;
  readonly clock: Clock;
  readonly progress: Progress;
  readonly limits: FetchLimits;
  readonly signal?: AbortSignal;
}

/**
 * Downloads into `partPath`, resuming what an earlier run left there, and answers the sha256 of the whole. Fails with
 * `artifact_invalid` (and removes the part) for another digest or size, `timeout`, `cancelled`, `unauthorized`, `not_found`.
 */
export async function fetchFile(options: FetchFileOptions): Promise<Result<string>> {
  let fruitless = 0;
  for (;;) {
    const before = await sizeOf(options.partPath);
    const outcome = await oneConnection(options, before);
    if (outcome.kind === "end") return outcome.result;
    if (options.signal?.aborted) return cancelled(options.label);
    const after = await sizeOf(options.partPath);
    fruitless = after > before ? 0 : fruitless + 1;
    if (fruitless >= options.limits.fruitlessTries) return outcome.result;
    options.progress.note(`  ${options.label}: ${outcome.reason}; going on from byte ${after}`);
    try {
      await options.clock.sleep(options.limits.backOffMs * 2 ** fruitless, options.signal);
    } catch (error) {
      if (options.signal?.aborted) return cancelled(options.label);
      throw error;
    }
  }
}

type Outcome =
  | { readonly kind: "end"; readonly result: Result<string> }
  | { readonly kind: "again"; readonly reason: string; readonly result: Result<string> };

async function oneConnection(options: FetchFileOptions, from: number): Promise<Outcome> {
  if (options.bytes !== undefined && from >= options.bytes) return await judge(options);
  using guard = new StallGuard(options.clock, options.limits.stallMs, options.signal);
  try {
    const headers: Record<string, string> = { ...options.headers, "accept-encoding": "identity" };
    if (from > 0) headers.range = `bytes=${from}-`;
    const response = await fetch(options.url, { headers, signal: guard.signal });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return await refused(options, response.status, from);
    }
    // 200 to a range request is the whole file from its start.
    const start = response.status === 206 ? from : 0;
    await save(options, response, start, guard);
  } catch (error) {
    if (options.signal?.aborted) return { kind: "end", result: cancelled(options.label) };
    if (!isNetworkError(error)) throw error;
    const reason = guard.stalled
      ? `no byte for ${options.limits.stallMs / 1000} s`
      : "the connection broke";
    return {
      kind: "again",
      reason,
      result: fail("timeout", `Cannot download ${options.label}: ${reason}; run it again to go on`),
    };
  }
  return await judge(options);
}

async function save(
  options: FetchFileOptions,
  response: Response,
  start: number,
  guard: StallGuard,
): Promise<void> {
  using file = await Deno.open(options.partPath, { write: true, create: true });
  await file.truncate(start);
  await file.seek(start, Deno.SeekMode.Start);
  let done = start;
  for await (const chunk of response.body!) {
    guard.touch();
    for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
    done += chunk.length;
    options.progress.at(options.label, done, options.bytes);
    if (options.bytes !== undefined && done > options.bytes) return;
  }
}

async function judge(options: FetchFileOptions): Promise<Outcome> {
  const size = await sizeOf(options.partPath);
  if (options.bytes !== undefined && size < options.bytes) {
    const reason = `the source closed after ${size} of ${options.bytes} bytes`;
    return {
      kind: "again",
      reason,
      result: fail("timeout", `Cannot download ${options.label}: ${reason}; run it again to go on`),
    };
  }
  const hash = createHash("sha256");
  await feedFile(options.partPath, (bytes) => hash.update(bytes), options.signal);
  const sha256 = hash.digest("hex");
  const rightSize = options.bytes === undefined || size === options.bytes;
  if (rightSize && (options.sha256 === undefined || options.sha256 === sha256)) {
    return { kind: "end", result: ok(sha256) };
  }
  await removeIfThere(options.partPath);
  return {
    kind: "end",
    result: fail(
      "artifact_invalid",
      `Cannot use ${options.label}: it must have sha256 ${options.sha256 ?? "as announced"}${
        options.bytes === undefined ? "" : ` and ${options.bytes} bytes`
      }, got ${sha256} and ${size}; the download was removed`,
    ),
  };
}

async function refused(options: FetchFileOptions, status: number, from: number): Promise<Outcome> {
  if (status === 416 && from > 0) {
    await removeIfThere(options.partPath);
    return {
      kind: "again",
      reason: "the source has another file now",
      result: fail("artifact_invalid", `Cannot download ${options.label}: its size changed`),
    };
  }
  const result = statusFailure(options.label, status);
  if (status === 408 || status === 429 || status >= 500) {
    return { kind: "again", reason: `the source answered ${status}`, result };
  }
  return { kind: "end", result };
}

/** The failure of an HTTP status of a source. */
export function statusFailure(what: string, status: number): Result<never> {
  if (status === 401 || status === 403) {
    return fail(
      "unauthorized",
      `Cannot download ${what}: the source answered ${status}; accept the model's terms there and set HF_TOKEN`,
    );
  }
  if (status === 404) {
    return fail("not_found", `Cannot download ${what}: the source has no such file or repository`);
  }
  return fail("timeout", `Cannot download ${what}: the source answered ${status}; try again later`);
}

/** True for what `fetch` throws when a peer is unreachable, silent or gone. */
export function isNetworkError(error: unknown): boolean {
  return error instanceof TypeError || error instanceof DOMException ||
    error instanceof Deno.errors.Http || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.TimedOut || error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.Interrupted;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

function cancelled(what: string): Result<never> {
  return fail("cancelled", `Cannot download ${what}: it was cancelled; run it again to go on`);
}
