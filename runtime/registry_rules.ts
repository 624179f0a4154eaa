import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { RegistryEntry } from "./registry.ts";

/** A program's lease lives this long after its last sign of life. */
export const leaseTtlMs = 5_000;
/** Largest value of a key, in UTF-8 bytes. */
export const maxValueBytes: number = 256 * 1024;
/** Longest key, in characters. */
export const maxKeyLength = 512;

const encoder = new TextEncoder();

/** Success without a value. */
export const stored: Result<void> = ok(undefined);

/** Throws unless `key` is one: printable ASCII that begins with `/`. */
export function checkKey(key: string): void {
  if (key.length <= maxKeyLength && /^\/[!-~]+$/.test(key)) return;
  throw new TypeError(`Cannot use the key ${JSON.stringify(key)}: it must be /, then ASCII`);
}

/** `payload_too_large` where a value is over `maxValueBytes`; throws as `checkKey` does. */
export function checkEntry(key: string, value: string): Result<void> {
  checkKey(key);
  if (3 * value.length <= maxValueBytes) return stored;
  const { byteLength } = encoder.encode(value);
  if (byteLength <= maxValueBytes) return stored;
  return fail(
    "payload_too_large",
    `Cannot put ${key}: a value holds at most ${maxValueBytes} bytes, got ${byteLength}`,
  );
}

/** The answer while there is no connection. */
export function registryDown(what: string, why?: string): Result<never> {
  const reason = why === undefined ? "not connected to the registry" : why;
  return fail("registry_unavailable", `Cannot ${what}: ${reason}; try again`);
}

/** In the order of their keys, as etcd lists them. */
export function byKey(a: RegistryEntry, b: RegistryEntry): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
