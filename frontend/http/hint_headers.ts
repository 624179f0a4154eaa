import { isInstanceId, policies } from "@pixii/wire";
import type { PolicyName, RouteHints } from "@pixii/wire";
import { longestSession } from "../openai/common_fields.ts";
import { FieldError } from "../openai/field_reader.ts";

/** What a client asks of the router by headers: `x-pixii-worker`, `-policy`, `-session`, `-priority`. Throws `FieldError`. */
export function hintHeaders(headers: Headers): RouteHints {
  const worker = headers.get("x-pixii-worker") ?? undefined;
  if (worker !== undefined && !isInstanceId(worker)) {
    refuse("x-pixii-worker", "must be a worker id of 16 hex digits", worker);
  }
  const policy = headers.get("x-pixii-policy") ?? undefined;
  if (policy !== undefined && !policies.includes(policy as PolicyName)) {
    refuse("x-pixii-policy", `must be one of ${policies.join(", ")}`, policy);
  }
  const session = headers.get("x-pixii-session") ?? undefined;
  if (session !== undefined && (session === "" || session.length > longestSession)) {
    refuse("x-pixii-session", `must be 1 to ${longestSession} characters`, session);
  }
  const priority = headers.get("x-pixii-priority") ?? undefined;
  if (priority !== undefined && !(/^-?\d{1,4}$/.test(priority) && Math.abs(+priority) <= 1000)) {
    refuse("x-pixii-priority", "must be an integer from -1000 to 1000", priority);
  }
  return {
    ...(worker === undefined ? {} : { worker: worker as RouteHints["worker"] }),
    ...(policy === undefined ? {} : { policy: policy as PolicyName }),
    ...(session === undefined ? {} : { session }),
    ...(priority === undefined ? {} : { priority: Number(priority) }),
  };
}

function refuse(name: string, rule: string, got: string): never {
  const shown = got.slice(0, 40);
  throw new FieldError(
    "invalid_request",
    `Invalid header '${name}': ${rule}, got '${shown}'`,
    name,
  );
}

/** Two sources of hints as one: what `over` says wins. */
export function mergeHints(under: RouteHints, over: RouteHints): RouteHints {
  const said = Object.entries(over).filter(([, value]) => value !== undefined);
  return { ...under, ...Object.fromEntries(said) };
}
