import { fail, ok, workerProfile } from "@pixii/wire";
import type { Result, WorkerProfile } from "@pixii/wire";
import type { EngineCard } from "./engine.ts";

/** The profile in a file of `deno task profile`, or why it cannot be used. */
export async function readProfile(path: string): Promise<Result<WorkerProfile>> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    return fail("not_found", `Cannot read the profile ${path}: ${(error as Error).message}`);
  }
  return parseProfile(text, path);
}

/** The profile in a text. Fails with `invalid_request` and names the field. */
export function parseProfile(text: string, path: string): Result<WorkerProfile> {
  const refuse = (why: string) =>
    fail(
      "invalid_request",
      `Cannot use the profile ${path}: ${why}; deno task profile makes one`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse(`it is not JSON (${(error as Error).message})`);
  }
  const parsed = workerProfile.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  const where = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  return refuse(where + issue.message);
}

/** The profile for a worker's card: of the file, else what its engine says of itself. One of other weights is refused. */
export async function profileForCard(
  path: string,
  card: EngineCard,
): Promise<Result<WorkerProfile | undefined>> {
  if (path === "") return ok(card.profile);
  const profile = await readProfile(path);
  // A simulated worker has no weights of its own: it may pass for any.
  if (!profile.ok || card.engine === "sim" || profile.value.modelDigest === card.modelDigest) {
    return profile;
  }
  return fail(
    "invalid_request",
    `Cannot use the profile ${path}: it is of ${profile.value.model} with digest ${profile.value.modelDigest}, the worker's weights have ${card.modelDigest}; deno task profile makes one`,
  );
}
