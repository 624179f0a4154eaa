import type { ScaleRecord } from "./plan_order.ts";
import { roles } from "./role.ts";
import type { Role } from "./role.ts";

/**
 * Roles of `count` workers that are to be started for a scale record beside those that are there: first what its counts lack,
 * then its `startRole`. Whoever starts them and whoever counts on them before they are there must agree. O(count + there).
 */
export function missingRoles(
  { roles: wanted, startRole }: Pick<ScaleRecord, "roles" | "startRole">,
  { there, count }: { readonly there: readonly Role[]; readonly count: number },
): readonly Role[] {
  const found: Role[] = [];
  for (const role of roles) {
    const lack = (wanted?.[role] ?? 0) - there.filter((one) => one === role).length;
    for (let i = 0; i < lack && found.length < count; i++) found.push(role);
  }
  while (found.length < count) found.push(startRole);
  return found;
}
