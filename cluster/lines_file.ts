import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";

/** Largest file that is read, in bytes. */
const mostFileBytes = 1024 * 1024 * 1024;

/** Reads a file of JSON lines that `--file` names. Fails with `not_found`, `payload_too_large` or `internal`. */
export async function readLinesFile(path: string): Promise<Result<string>> {
  try {
    const { size } = await Deno.stat(path);
    if (size > mostFileBytes) {
      return fail("payload_too_large", `Cannot read ${path}: it has ${size} bytes`);
    }
    return ok(await Deno.readTextFile(path));
  } catch (error) {
    const code = error instanceof Deno.errors.NotFound ? "not_found" : "internal";
    return fail(code, `Cannot read ${path}: ${(error as Error).message}; see --file`);
  }
}
