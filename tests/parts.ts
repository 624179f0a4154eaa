import { findServer } from "@pixii/runtime";

/** A real part tests use, and how to get it where it is missing. */
export interface MissingPart {
  readonly name: string;
  readonly how: string;
}

/** Where SmolLM2 is, if it is on this machine: `PIXII_TEST_MODEL`, else the model cache. */
export function smollm2Path(): string | undefined {
  const env = (name: string) => Deno.env.get(name) || undefined;
  const xdg = env("XDG_CACHE_HOME");
  const cache = env("PIXII_CACHE") ??
    (xdg === undefined ? `${env("HOME")}/.cache/pixii` : `${xdg}/pixii`);
  const path = env("PIXII_TEST_MODEL") ??
    `${cache}/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf`;
  try {
    return Deno.statSync(path).isFile ? path : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
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
  return missing;
}
