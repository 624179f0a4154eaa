import { fail } from "@pixii/wire";
import type { Result } from "@pixii/wire";

/** Why the disk tier cannot do something, as the system says it. */
export function diskFailure(what: string, error: unknown): Result<never> {
  const reason = error instanceof Error ? error.message : String(error);
  return fail("internal", `Cannot ${what}: ${reason}; name another folder with --kv-disk SIZE:DIR`);
}
