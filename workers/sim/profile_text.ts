import { closestWord } from "@pixii/runtime";
import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { profileFields } from "./core/step_time.ts";
import type { TimeProfile } from "./core/step_time.ts";

/**
 * Reads a profile: a JSON object with `version` 1, optionally `name` and `about` for people, and the coefficients of
 * `TimeProfile` (milliseconds, >= 0; what is left out is 0). Fails with `invalid_request` and names the field.
 */
export function parseProfile(text: string, path: string): Result<TimeProfile> {
  const refuse = (why: string) => fail("invalid_request", `Cannot use the profile ${path}: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse(`it is not JSON (${(error as Error).message})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse("it must be a JSON object");
  }
  const { version, name: _name, about: _about, ...rest } = value as Record<string, unknown>;
  if (version !== 1) return refuse(`"version" must be 1, got ${JSON.stringify(version)}`);
  const profile = Object.fromEntries(profileFields.map((field) => [field, 0]));
  for (const [field, number] of Object.entries(rest)) {
    if (!(field in profile)) {
      const close = closestWord(field, profileFields);
      return refuse(
        `${JSON.stringify(field)} is none of ${profileFields.join(", ")}${
          close === undefined ? "" : `; did you mean ${close}?`
        }`,
      );
    }
    if (typeof number !== "number" || !(number >= 0) || number === Infinity) {
      return refuse(`${field} must be a number >= 0, got ${JSON.stringify(number)}`);
    }
    profile[field] = number;
  }
  return ok(profile as unknown as TimeProfile);
}
