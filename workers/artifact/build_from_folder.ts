import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { packArtifact } from "./build_artifact.ts";
import type { BuiltArtifact } from "./build_artifact.ts";
import { isEndSpelling } from "./end_tokens.ts";
import { preTokenizers } from "./pre_tokenizer.ts";
import { preTokenizerName } from "./pre_tokenizer_name.ts";

/** A vocabulary that came as files, and what they say of the model. */
export interface FolderArtifact extends BuiltArtifact {
  /** Most tokens the model takes; undefined where the files do not say. */
  readonly contextLength: number | undefined;
  /** When `tokenizer.json` was written, seconds since 1970. */
  readonly createdAt: number;
}

/** Longest context that is believed: files say 1e30 where they mean "unknown". */
const longestContext = 16 * 1024 * 1024;

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Makes the vocabulary artifact of a folder as Hugging Face ships it: `tokenizer.json` and `tokenizer_config.json`, and
 * where they are there `chat_template.jinja` and `generation_config.json`. Refuses tokenizers that frontends do not know.
 */
export async function buildFolderArtifact(folder: string): Promise<Result<FolderArtifact>> {
  const refuse = (why: string) =>
    fail("invalid_request", `Cannot serve the vocabulary of ${folder}: ${why}`);
  const tokenizer = await readJson(`${folder}/tokenizer.json`);
  if (!tokenizer.ok) return tokenizer;
  if (tokenizer.value === undefined) return refuse("it has no tokenizer.json");
  const config = await readJson(`${folder}/tokenizer_config.json`);
  if (!config.ok) return config;
  const generation = await readJson(`${folder}/generation_config.json`);
  if (!generation.ok) return generation;
  const model = tokenizer.value.model as { type?: string; merges?: unknown } | undefined;
  if (model?.type !== "BPE" || !Array.isArray(model.merges)) {
    return refuse(`its tokenizer is ${model?.type ?? "missing"}; byte-level BPE is supported`);
  }
  const pre = preTokenizerName(tokenizer.value.pre_tokenizer);
  if (pre === undefined) {
    return refuse(
      `its pre-tokenizer is not known (${
        JSON.stringify(tokenizer.value.pre_tokenizer ?? null).slice(0, 200)
      }); supported are ${Object.keys(preTokenizers).join(", ")}`,
    );
  }
  const tokenizerConfig = config.value ?? {};
  const template = await readText(`${folder}/chat_template.jinja`) ??
    templateOf(tokenizerConfig.chat_template);
  const eosToken = spelling(tokenizerConfig.eos_token);
  const packed = await packArtifact({
    version: 1,
    tokenizer: { ...tokenizer.value, model: { ...model, merges: model.merges.map(mergeText) } },
    tokenizerConfig,
    chatTemplate: template,
    bosToken: spelling(tokenizerConfig.bos_token),
    eosToken,
    addBos: typeof tokenizerConfig.add_bos_token === "boolean"
      ? tokenizerConfig.add_bos_token
      : preTokenizers[pre].addBos,
    eosTokenIds: endIds(tokenizer.value, eosToken, generation.value),
    pre,
  });
  const longest = tokenizerConfig.model_max_length;
  const isBelieved = typeof longest === "number" && longest >= 1 && longest <= longestContext;
  const { mtime } = await Deno.stat(`${folder}/tokenizer.json`);
  return ok({
    ...packed,
    contextLength: isBelieved ? Math.floor(longest) : undefined,
    createdAt: Math.floor((mtime?.getTime() ?? 0) / 1000),
  });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function readJson(path: string): Promise<Result<Json | undefined>> {
  const text = await readText(path);
  if (text === undefined) return ok(undefined);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return ok(value as Json);
    return fail("invalid_request", `Cannot read ${path}: it must hold a JSON object`);
  } catch (error) {
    return fail("invalid_request", `Cannot read ${path}: ${(error as Error).message}`);
  }
}

/** A merge is "left right" in old files and [left, right] in new ones. */
function mergeText(merge: unknown): unknown {
  return Array.isArray(merge) ? merge.join(" ") : merge;
}

/** A special token's text: plain, or in an object. */
function spelling(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

/** The one chat template, or that named `default` of several. */
function templateOf(template: unknown): string | undefined {
  if (typeof template === "string") return template;
  if (!Array.isArray(template)) return undefined;
  const named = template as readonly { readonly name?: string; readonly template?: string }[];
  return named.find((one) => one.name === "default")?.template;
}

function endIds(tokenizer: Json, eosToken: string | undefined, generation?: Json): number[] {
  const added = (tokenizer.added_tokens ?? []) as readonly AddedToken[];
  const ids = new Set<number>();
  for (const { id, content, special } of added) {
    if (content === eosToken || (special === true && isEndSpelling(content))) ids.add(id);
  }
  for (const id of [generation?.eos_token_id].flat()) if (typeof id === "number") ids.add(id);
  return [...ids].sort((a, b) => a - b);
}
