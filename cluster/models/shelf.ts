import { cacheFolder, type Env } from "./cache_folder.ts";
import { bundledPath, catalog, catalogEntry } from "./catalog.ts";
import { forgetFileDigest, removeIfThere } from "./file_digest.ts";
import { filesUnder } from "./hub_source.ts";
import { parseModelSource } from "./model_name.ts";
import { catalogPath } from "./store.ts";

/** One line of `models ls`. */
export interface ShelfModel {
  /** What `--model` takes. */
  readonly name: string;
  /** Where its file is; undefined = not on this machine. */
  readonly path: string | undefined;
  readonly bytes: number | undefined;
  readonly about: string;
}

/** The catalog's models, here or not, then the files of Hugging Face repositories in the cache. */
export async function listShelf(env: Env): Promise<readonly ShelfModel[]> {
  const shelf: ShelfModel[] = [];
  const root = `${cacheFolder(env)}/models`;
  const files = await filesUnder(root);
  for (const entry of catalog) {
    const cached = catalogPath(entry, env);
    const inCache = files.find((file) => `${root}/${file.path}` === cached);
    const bundled = entry.sources.flatMap((one) => one.kind === "bundled" ? [one.path] : [])[0];
    const bundledBytes = bundled === undefined ? undefined : await bytesOf(bundledPath(bundled));
    const path = inCache !== undefined
      ? cached
      : bundledBytes === undefined
      ? undefined
      : bundledPath(bundled);
    shelf.push({
      name: entry.name,
      path,
      bytes: inCache?.bytes ?? bundledBytes ?? entry.bytes,
      about: entry.about,
    });
  }
  for (const file of files) {
    const parts = file.path.split("/");
    if (parts.length < 3 || !file.path.endsWith(".gguf")) continue;
    if (parts.some((part) => part.startsWith("pip-"))) continue;
    const name = `${parts[0]}/${parts[1]}:${parts.slice(2).join("/")}`;
    shelf.push({
      name,
      path: `${root}/${file.path}`,
      bytes: file.bytes,
      about: "from Hugging Face",
    });
  }
  return shelf;
}

/**
 * Removes a model's files (and what an interrupted download left) from the cache. Answers the removed paths; none where the
 * name has nothing there. Files outside the cache are never removed.
 */
export async function removeFromShelf(name: string, env: Env): Promise<readonly string[]> {
  const source = parseModelSource(name, env.HOME);
  if (!source.ok || source.value.kind === "path") return [];
  const root = `${cacheFolder(env)}/models`;
  if (source.value.kind === "catalog" && catalogEntry(name) === undefined) return [];
  const folder = source.value.kind === "hub" ? source.value.repo : source.value.name;
  const wanted = source.value.kind === "hub" ? source.value.file : undefined;
  const removed: string[] = [];
  for (const file of await filesUnder(`${root}/${folder}`)) {
    const ours = wanted === undefined || file.path === wanted || file.path.startsWith(`${wanted}.`);
    if (!ours) continue;
    const path = `${root}/${folder}/${file.path}`;
    await forgetFileDigest(path, env);
    if (await removeIfThere(path)) removed.push(path);
  }
  if (wanted === undefined && removed.length > 0) {
    await Deno.remove(`${root}/${folder}`, { recursive: true });
  }
  return removed;
}

async function bytesOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
