/**
 * Where SmolLM2-135M-Instruct is, if this machine has it: `PIXII_TEST_MODEL`, else the model cache. Never downloaded: its
 * tests are skipped where it is missing, and the runner says how to get it.
 */
export function smollm2Path(): string | undefined {
  const env = (name: string) => Deno.env.get(name) || undefined;
  const xdg = env("XDG_CACHE_HOME") ?? `${env("HOME")}/.cache`;
  const cache = env("PIXII_CACHE") ?? `${xdg}/pixii`;
  const path = env("PIXII_TEST_MODEL") ??
    `${cache}/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf`;
  try {
    return Deno.statSync(path).isFile ? path : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
