import { fail, ok, type Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import { cacheFolder, type Env } from "./cache_folder.ts";
import {
  bundledPath,
  catalog,
  type CatalogEntry,
  catalogEntry,
  type CatalogSource,
} from "./catalog.ts";
import { fetchFile, type FetchLimits, fetchLimits } from "./fetch_file.ts";
import { cachedFileDigest, fileDigest, rememberFileDigest, removeIfThere } from "./file_digest.ts";
import { filesUnder, findInHubCache, locateHubFile, pickGguf } from "./hub_source.ts";
import { lockModel } from "./model_lock.ts";
import { parseModelSource, servedNameOf } from "./model_name.ts";
import { fetchPipMember } from "./pip_source.ts";
import { type Progress, silentProgress } from "./progress.ts";

/** What the store is told. */
export interface StoreOptions {
  readonly env: Env;
  readonly clock: Clock;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  readonly limits?: FetchLimits;
  /** False: only what is on this machine already. */
  readonly download: boolean;
  /** A path may also name a folder with `tokenizer.json`: a vocabulary without weights. */
  readonly folders?: boolean;
}

/** A model's file on this machine. */
export interface LocalModel {
  readonly path: string;
  /** Name it is served under unless told otherwise. */
  readonly name: string;
  /** sha256 of the file, lower-case hex. */
  readonly digest: string;
  /** Where it came from, for people. */
  readonly origin: string;
  readonly bytes: number;
}

/**
 * The file of a model text (path, ORG/REPO[:FILE], catalog name), downloaded where that is allowed and needed. Fails with
 * `not_found`, `artifact_invalid`, `timeout`, `unauthorized`, `cancelled`, `invalid_request`.
 */
export async function ensureModel(
  text: string,
  options: StoreOptions,
): Promise<Result<LocalModel>> {
  const source = parseModelSource(text, options.env.HOME);
  if (!source.ok) return source;
  const name = servedNameOf(source.value);
  try {
    switch (source.value.kind) {
      case "path":
        return await localFile(source.value.path, name, options);
      case "hub":
        return await hubModel(source.value.repo, source.value.file, name, options);
      case "catalog":
        return await catalogModel(source.value.name, options);
    }
  } catch (error) {
    if (options.signal?.aborted) return fail("cancelled", `Cannot get ${text}: it was cancelled`);
    const full = error instanceof Error && /no space left|disk quota/i.test(error.message);
    if (full || error instanceof Deno.errors.PermissionDenied) {
      return fail(
        "not_found",
        `Cannot keep ${text} in ${cacheFolder(options.env)}: ${
          (error as Error).message
        }; set PIXII_CACHE to another folder`,
      );
    }
    throw error;
  }
}

/** Path of a catalog model's file in the cache, there or not. */
export function catalogPath(entry: CatalogEntry, env: Env): string {
  return `${cacheFolder(env)}/models/${entry.name}/${entry.file}`;
}

async function localFile(
  path: string,
  name: string,
  options: StoreOptions,
): Promise<Result<LocalModel>> {
  let stat: Deno.FileInfo;
  try {
    stat = await Deno.stat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
      throw error;
    }
    return fail("not_found", `Cannot open model ${path}: there is no such file`);
  }
  if (stat.isDirectory && options.folders === true) {
    const real = await Deno.realPath(path);
    const inside = await localFile(`${path}/tokenizer.json`, name, options);
    return inside.ok ? ok({ ...inside.value, path: real, origin: `folder ${path}` }) : inside;
  }
  if (!stat.isFile) return fail("not_found", `Cannot open model ${path}: it is not a file`);
  const real = await Deno.realPath(path);
  return await described(real, name, `file ${path}`, options);
}

async function described(
  path: string,
  name: string,
  origin: string,
  options: StoreOptions,
): Promise<Result<LocalModel>> {
  const digest = await cachedFileDigest(path, options.env, options.signal);
  const bytes = (await Deno.stat(path)).size;
  return ok({ path, name, digest, origin, bytes });
}

async function hubModel(
  repo: string,
  file: string | undefined,
  name: string,
  options: StoreOptions,
): Promise<Result<LocalModel>> {
  const folder = `${cacheFolder(options.env)}/models/${repo}`;
  const own = pickGguf(await filesUnder(folder), file);
  if (own.ok) return await described(`${folder}/${own.value}`, name, "cache", options);
  const theirs = await findInHubCache(repo, file, options.env);
  if (theirs !== undefined) {
    return await described(await Deno.realPath(theirs), name, "Hugging Face cache", options);
  }
  if (!options.download) return notHere(repo);
  const got = await downloadFromHub(repo, file, folder, undefined, options);
  if (!got.ok) return got;
  return await described(got.value, name, `Hugging Face ${repo}`, options);
}

async function catalogModel(name: string, options: StoreOptions): Promise<Result<LocalModel>> {
  const entry = catalogEntry(name);
  if (entry === undefined) {
    const names = catalog.map((one) => one.name).join(", ");
    return fail(
      "not_found",
      `Cannot find model ${name}: the catalog has ${names}; a file starts with "./", a Hugging Face name is ORG/REPO`,
    );
  }
  const there = await catalogFile(entry, options.env);
  if (there !== undefined) {
    const checked = await described(there, name, "cache", options);
    if (!checked.ok || entry.sha256 === undefined || checked.value.digest === entry.sha256) {
      return checked;
    }
    if (there === catalogPath(entry, options.env)) {
      options.progress?.note(`${name}: the cached file is damaged; it is fetched again`);
      if (options.download) await removeIfThere(there);
    }
  }
  // What is bundled is no download.
  const sources = entry.sources.filter((one) => options.download || one.kind === "bundled");
  if (sources.length === 0) return notHere(name);
  const failures: string[] = [];
  for (const source of sources) {
    const got = await fromSource(source, entry, options);
    if (got.ok) return await described(got.value, name, sourceText(source), options);
    if (got.error.code === "cancelled") return got;
    options.progress?.note(`${name}: source passed over. ${got.error.message}`);
    failures.push(got.error.message);
  }
  return fail(
    "not_found",
    `Cannot get model ${name}: no source has it (${failures.length} tried)`,
  );
}

async function fromSource(
  source: CatalogSource,
  entry: CatalogEntry,
  options: StoreOptions,
): Promise<Result<string>> {
  const folder = `${cacheFolder(options.env)}/models/${entry.name}`;
  switch (source.kind) {
    case "bundled":
      return await bundledFile(source.path, entry, options);
    case "hub":
      return await downloadFromHub(source.repo, source.file, folder, entry, options);
    case "pip":
      return await downloadFromPip(source, entry, folder, options);
  }
}

async function bundledFile(
  file: string,
  entry: CatalogEntry,
  options: StoreOptions,
): Promise<Result<string>> {
  const path = bundledPath(file);
  if (!await exists(path)) {
    return fail("not_found", `Cannot find ${path}: it is not in this copy`);
  }
  const digest = await cachedFileDigest(path, options.env, options.signal);
  return entry.sha256 === undefined || digest === entry.sha256
    ? ok(path)
    : fail("not_found", `Cannot use ${path}: its digest is not the catalog's; restore the file`);
}

async function downloadFromHub(
  repo: string,
  file: string | undefined,
  folder: string,
  entry: CatalogEntry | undefined,
  options: StoreOptions,
): Promise<Result<string>> {
  const limits = options.limits ?? fetchLimits;
  const progress = options.progress ?? silentProgress;
  const { env, clock, signal } = options;
  const found = await locateHubFile({ repo, file, env, clock, limits, signal });
  if (!found.ok) return found;
  const hubFile = found.value;
  if (entry?.sha256 !== undefined && hubFile.sha256 !== entry.sha256) {
    return fail(
      "artifact_invalid",
      `Cannot use ${repo}: ${hubFile.path} must have sha256 ${entry.sha256}, got ${
        hubFile.sha256 ?? "none"
      }`,
    );
  }
  const target = `${folder}/${entry?.file ?? hubFile.path}`;
  return await underLock(target, options, async () => {
    progress.note(`${repo}: ${hubFile.path} from Hugging Face`);
    // The digest in the name keeps a part from being continued with another file's bytes.
    const partPath = `${target}.${(hubFile.sha256 ?? "unpinned").slice(0, 16)}.part`;
    const got = await fetchFile({
      url: hubFile.url,
      headers: hubFile.headers,
      partPath,
      label: hubFile.path,
      bytes: hubFile.bytes,
      sha256: hubFile.sha256,
      clock,
      progress,
      limits,
      signal,
    });
    progress.end();
    if (!got.ok) return got;
    return await keep(partPath, target, got.value, env);
  });
}

async function downloadFromPip(
  source: CatalogSource & { kind: "pip" },
  entry: CatalogEntry,
  folder: string,
  options: StoreOptions,
): Promise<Result<string>> {
  const target = `${folder}/${entry.file}`;
  const progress = options.progress ?? silentProgress;
  return await underLock(target, options, async () => {
    progress.note(`${entry.name}: ${source.package} by the package client pip`);
    const workFolder = await Deno.makeTempDir({ dir: folder, prefix: "pip-" });
    const partPath = `${workFolder}/member.part`;
    try {
      const got = await fetchPipMember({
        ...options,
        package: source.package,
        member: source.member,
        workFolder,
        partPath,
        limits: options.limits ?? fetchLimits,
        progress,
      });
      if (!got.ok) return got;
      const sha256 = await fileDigest(partPath, options.signal);
      if (entry.sha256 !== undefined && sha256 !== entry.sha256) {
        return fail(
          "artifact_invalid",
          `Cannot use ${source.package}: its member must have sha256 ${entry.sha256}, got ${sha256}`,
        );
      }
      return await keep(partPath, target, sha256, options.env);
    } finally {
      await Deno.remove(workFolder, { recursive: true });
    }
  });
}

/** Runs `work` while this program alone may write `target`; a file that another program finished meanwhile is taken. */
async function underLock(
  target: string,
  options: StoreOptions,
  work: () => Promise<Result<string>>,
): Promise<Result<string>> {
  await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
  using _lock = await lockModel(target, {
    clock: options.clock,
    signal: options.signal,
    onWait: (pid) =>
      options.progress?.note(`  another program${pid && ` (pid ${pid})`} downloads it; waiting`),
  });
  if (await exists(target)) return ok(target);
  return await work();
}

async function keep(
  partPath: string,
  target: string,
  sha256: string,
  env: Env,
): Promise<Result<string>> {
  await Deno.rename(partPath, target);
  await rememberFileDigest(target, sha256, env);
  return ok(target);
}

async function catalogFile(entry: CatalogEntry, env: Env): Promise<string | undefined> {
  const cached = catalogPath(entry, env);
  if (await exists(cached)) return cached;
  for (const source of entry.sources) {
    if (source.kind === "bundled" && await exists(bundledPath(source.path))) {
      return bundledPath(source.path);
    }
  }
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

function sourceText(source: CatalogSource): string {
  switch (source.kind) {
    case "hub":
      return `Hugging Face ${source.repo}`;
    case "pip":
      return `pip ${source.package}`;
    case "bundled":
      return "bundled";
  }
}

function notHere(name: string): Result<never> {
  return fail(
    "not_found",
    `Cannot find model ${name} on this machine; "deno task models pull ${name}" fetches it`,
  );
}
