import { fail, ok, vocabularyArtifact } from "@pixii/wire";
import type { Result, VocabularyArtifact } from "@pixii/wire";

/** A vocabulary artifact out of its JSON; `artifact_invalid` where it is none. */
export function readArtifact(json: Uint8Array): Result<VocabularyArtifact> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (error) {
    return fail("artifact_invalid", `Cannot read the artifact: ${(error as Error).message}`);
  }
  const parsed = vocabularyArtifact.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  const where = issue.path.join(".");
  return fail("artifact_invalid", `Cannot read the artifact: ${where}: ${issue.message}`);
}
