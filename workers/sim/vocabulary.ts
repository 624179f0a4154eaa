import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { buildArtifact } from "../artifact/build_artifact.ts";
import type { BuiltArtifact } from "../artifact/build_artifact.ts";
import { buildFolderArtifact } from "../artifact/build_from_folder.ts";
import { kvBytesPerToken } from "../gguf/kv_bytes.ts";
import { ggufNumber, ggufText, readGguf } from "../gguf/reader.ts";
import type { Gguf } from "../gguf/reader.ts";
import { plainTokensOf, vocabularySize } from "./core/plain_words.ts";
import type { PlainTokens } from "./core/token_source.ts";

/** Taken where the files do not say: what an 8 B llama has in f16. */
const defaultKvBytes = 131_072;
/** Taken where the files do not say. */
const defaultContext = 32_768;
const kvElementBytes = 2;

/** Everything a simulated model has of a real one. */
export interface SimVocabulary {
  readonly artifact: BuiltArtifact;
  readonly plain: PlainTokens;
  readonly vocabSize: number;
  /** Most tokens the model was made for. */
  readonly contextLength: number;
  readonly kvBytesPerToken: number;
  /** Seconds since 1970. */
  readonly createdAt: number;
}

/**
 * Reads the vocabulary of a GGUF file (its header only) or of a folder with `tokenizer.json`. Fails with `not_found`
 * or `invalid_request` and says why.
 */
export async function readVocabulary(path: string): Promise<Result<SimVocabulary>> {
  let stat: Deno.FileInfo;
  try {
    stat = await Deno.stat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return fail("not_found", `Cannot open model ${path}: there is no such file or folder`);
  }
  if (!stat.isDirectory) return await fromGguf(path, stat);
  const artifact = await buildFolderArtifact(path);
  if (!artifact.ok) return artifact;
  const { contextLength = defaultContext, createdAt } = artifact.value;
  return withWords(path, {
    artifact: artifact.value,
    contextLength,
    kvBytesPerToken: defaultKvBytes,
    createdAt,
  });
}

async function fromGguf(path: string, stat: Deno.FileInfo): Promise<Result<SimVocabulary>> {
  const gguf = await readGguf(path);
  if (!gguf.ok) return gguf;
  const artifact = await buildArtifact(gguf.value);
  if (!artifact.ok) return artifact;
  return withWords(path, {
    artifact: artifact.value,
    contextLength: trainedContext(gguf.value) ?? defaultContext,
    kvBytesPerToken: kvBytesPerToken(gguf.value, kvElementBytes) ?? defaultKvBytes,
    createdAt: Math.floor((stat.mtime?.getTime() ?? 0) / 1000),
  });
}

function trainedContext(gguf: Gguf): number | undefined {
  return ggufNumber(gguf, `${ggufText(gguf, "general.architecture")}.context_length`);
}

function withWords(
  path: string,
  facts: Omit<SimVocabulary, "plain" | "vocabSize">,
): Result<SimVocabulary> {
  const { vocabulary } = facts.artifact;
  const plain = plainTokensOf(vocabulary);
  if (plain === undefined) {
    return fail(
      "invalid_request",
      `Cannot simulate ${path}: its vocabulary has no printable token; use another`,
    );
  }
  return ok({ ...facts, plain, vocabSize: vocabularySize(vocabulary) });
}
