import { fail, ok, type Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import { type Env, hubCacheFolder } from "./cache_folder.ts";
import { type FetchLimits, isNetworkError, statusFailure } from "./fetch_file.ts";
import { StallGuard } from "./stall_guard.ts";

/** Most entries of a repository that are looked at. */
const listLimit = 20_000;

/** A file of a Hugging Face repository, ready to be downloaded. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** sha256 from the repository's large-file pointer; undefined for a small file without one. */
  readonly sha256: string | undefined;
  readonly url: string;
  /** Headers of the download; may hold the user's token: never print them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What is asked of the hub. */
export interface HubRequest {
  readonly repo: string;
  /** A file's path, a quantization (`Q8_0`), or undefined for the default choice. */
  readonly file: string | undefined;
  readonly env: Env;
  readonly clock: Clock;
  readonly limits: FetchLimits;
  readonly signal?: AbortSignal;
}

/** Base URL of the hub: `HF_ENDPOINT` or huggingface.co. */
export function hubUrl(env: Env): string {
  return (env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");
}

/** Finds the GGUF file to download. Fails with `not_found`, `unauthorized`, `timeout`, `cancelled`. */
export async function locateHubFile(request: HubRequest): Promise<Result<HubFile>> {
  const hub = await import("@huggingface/hub");
  const base = hubUrl(request.env);
  using guard = new StallGuard(request.clock, request.limits.connectMs, request.signal);
  const headers: Record<string, string> = {};
  if (request.env.HF_TOKEN) headers.authorization = `Bearer ${request.env.HF_TOKEN}`;
  const guardedFetch: typeof fetch = async (input, init) => {
    const ours = new URL(String(input)).origin === new URL(base).origin ? headers : {};
    const response = await fetch(input, {
      ...init,
      headers: { ...init?.headers as Record<string, string>, ...ours },
      signal: guard.signal,
    });
    guard.touch(request.limits.stallMs);
    return response;
  };
  const common = { repo: request.repo, hubUrl: base, fetch: guardedFetch };
  try {
    const files: { path: string; bytes: number; sha256?: string }[] = [];
    let seen = 0;
    for await (const entry of hub.listFiles({ ...common, recursive: true })) {
      if (++seen > listLimit) break;
      if (entry.type !== "file") continue;
      files.push({ path: entry.path, bytes: entry.size, sha256: entry.lfs?.oid });
    }
    const path = pickGguf(files, request.file);
    if (!path.ok) return notThere(request, path.error.message);
    const file = files.find((one) => one.path === path.value)!;
    const info = await hub.fileDownloadInfo({ ...common, path: file.path });
    if (info === null) return notThere(request, "the file is gone");
    return ok({ path: file.path, bytes: info.size, sha256: file.sha256, url: info.url, headers });
  } catch (error) {
    return hubFailure(request, error, guard);
  }
}

/** What a file list is picked from. */
export interface GgufCandidate {
  readonly path: string;
  readonly bytes: number;
}

/**
 * The file a name means: the given path, else the given quantization, else Q4_K_M, else the smallest. Parts of a split model
 * and projectors (`mmproj`) are not choices.
 */
export function pickGguf(
  files: readonly GgufCandidate[],
  wanted: string | undefined,
): Result<string> {
  const all = files.filter((file) => file.path.endsWith(".gguf"));
  if (wanted !== undefined && all.some((file) => file.path === wanted)) return ok(wanted);
  const whole = all
    .filter((file) => !/-\d{5}-of-\d{5}\.gguf$/.test(file.path) && !/mmproj/i.test(file.path))
    .sort((a, b) => a.bytes - b.bytes || (a.path < b.path ? -1 : 1));
  if (whole.length === 0) {
    return fail(
      "not_found",
      all.length > 0 ? "it has only split GGUF files" : "it has no GGUF file",
    );
  }
  const tagged = (tag: string) => {
    const parts = new RegExp(`(^|[-._/])${tag.replace(/[^\w]/g, "\\$&")}([-._/]|$)`, "i");
    return whole.find((file) => parts.test(file.path.slice(0, -5)));
  };
  if (wanted === undefined) return ok((tagged("Q4_K_M") ?? whole[0]).path);
  const match = wanted.endsWith(".gguf") ? undefined : tagged(wanted);
  if (match !== undefined) return ok(match.path);
  const names = whole.slice(0, 8).map((file) => file.path).join(", ");
  return fail("not_found", `it has no ${wanted}; it has ${names}${whole.length > 8 ? ", …" : ""}`);
}

/** The path of a repository's file in Hugging Face's own cache, where its libraries put it. */
export async function findInHubCache(
  repo: string,
  wanted: string | undefined,
  env: Env,
): Promise<string | undefined> {
  const folder = `${hubCacheFolder(env)}/models--${repo.replaceAll("/", "--")}`;
  let commit: string;
  try {
    commit = (await Deno.readTextFile(`${folder}/refs/main`)).trim();
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
  if (!/^[\w.-]+$/.test(commit)) return undefined;
  const snapshot = `${folder}/snapshots/${commit}`;
  const picked = pickGguf(await filesUnder(snapshot), wanted);
  return picked.ok ? `${snapshot}/${picked.value}` : undefined;
}

/** Every file below a folder with its size, links followed; a missing folder has none. */
export async function filesUnder(folder: string, below = ""): Promise<GgufCandidate[]> {
  const found: GgufCandidate[] = [];
  try {
    for await (const entry of Deno.readDir(`${folder}${below}`)) {
      const path = `${below}/${entry.name}`;
      if (entry.isDirectory) found.push(...await filesUnder(folder, path));
      else {
        const bytes = await sizeOf(`${folder}${path}`);
        if (bytes !== undefined) found.push({ path: path.slice(1), bytes });
      }
    }
  } catch (error) {
    if (!isAbsence(error)) throw error;
  }
  return found;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    // A link whose target was removed.
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.PermissionDenied;
}

function notThere(request: HubRequest, why: string): Result<never> {
  return fail("not_found", `Cannot download ${request.repo} from ${hubUrl(request.env)}: ${why}`);
}

function hubFailure(request: HubRequest, error: unknown, guard: StallGuard): Result<never> {
  const base = hubUrl(request.env);
  if (request.signal?.aborted) {
    return fail("cancelled", `Cannot download ${request.repo}: it was cancelled`);
  }
  const status = (error as { statusCode?: unknown }).statusCode;
  if (typeof status === "number") return statusFailure(`${request.repo} from ${base}`, status);
  if (guard.stalled || isNetworkError(error)) {
    const why = guard.stalled ? "it did not answer in time" : "it cannot be reached";
    return fail("timeout", `Cannot download ${request.repo} from ${base}: ${why}`);
  }
  if (error instanceof Error) {
    return fail("decode_error", `Cannot download ${request.repo} from ${base}: ${error.message}`);
  }
  throw error;
}
