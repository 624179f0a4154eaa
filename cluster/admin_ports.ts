import { decodeRecord, fail, keys, ok } from "@pixii/wire";
import type { Result, ServiceName } from "@pixii/wire";
import type { Registry } from "@pixii/runtime";
import type { ReadyFacts } from "./ready_file.ts";

/** Admin addresses as options name them, without slashes at their ends. */
export function namedAdmins(urls: readonly string[]): string[] {
  return urls.map((url) => url.replace(/\/+$/, ""));
}

/** What a ready file says, and the admin addresses of a service in it. Fails with `invalid_request` where it names none. */
export async function adminsInReadyFile(
  path: string,
  service: ServiceName,
): Promise<Result<{ readonly admins: string[]; readonly facts: ReadyFacts }>> {
  let facts: ReadyFacts;
  try {
    facts = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    const { message } = error as Error;
    return fail(
      "invalid_request",
      `Cannot read the ready file ${path}: ${message}; is deno task dev running with it?`,
    );
  }
  const programs = facts.processes?.filter((one) => one.service === service) ?? [];
  if (programs.length > 0) return ok({ admins: programs.map(({ admin }) => admin), facts });
  return fail("invalid_request", `Cannot find a ${service} in ${path}: is it a ready file?`);
}

/** Admin addresses of a service in a registry, which is at `etcd`. Fails with `not_found` where none is registered. */
export async function adminsInRegistry(
  registry: Registry,
  service: ServiceName,
  { etcd, namespace }: { readonly etcd: string; readonly namespace: string },
): Promise<Result<string[]>> {
  const entries = await registry.list(`${keys(namespace).instances}${service}/`);
  if (!entries.ok) return entries;
  const admins = entries.value.flatMap(({ value }) => {
    const record = decodeRecord("instance", value);
    return record.ok ? [record.value.admin] : [];
  });
  if (admins.length > 0) return ok(admins);
  return fail(
    "not_found",
    `Cannot find a ${service} of namespace ${namespace} in ${etcd}: none is registered; see --namespace`,
  );
}
