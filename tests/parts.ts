import { findServer } from "@pixii/runtime";
import { smollm2Path } from "@pixii/workers/testing";

/** A real part tests use, and how to get it where it is missing. */
export interface MissingPart {
  readonly name: string;
  readonly how: string;
}

/** Chromium's program, where the machine has one; `PIXII_CHROMIUM` names another. */
export function chromiumPath(): string | undefined {
  const paths = [Deno.env.get("PIXII_CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser"];
  return [...paths, "/usr/bin/google-chrome"].find((path) => {
    try {
      return path !== undefined && Deno.statSync(path).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}

/** The real parts this machine lacks. */
export async function missingParts(): Promise<MissingPart[]> {
  const missing: MissingPart[] = [];
  if (await findServer("nats-server") === undefined) {
    missing.push({
      name: "nats-server",
      how: "apt-get install nats-server, or see https://nats.io",
    });
  }
  if (await findServer("etcd") === undefined) {
    missing.push({ name: "etcd", how: "apt-get install etcd-server, or see https://etcd.io" });
  }
  if (smollm2Path() === undefined) {
    missing.push({ name: "the SmolLM2 weights", how: "deno task models pull smollm2" });
  }
  if (chromiumPath() === undefined) {
    missing.push({
      name: "Chromium",
      how: "apt-get install chromium, or name it in PIXII_CHROMIUM",
    });
  }
  return missing;
}
