/** Writes the golden files that do not exist yet; never changes one. Run: `deno run -A wire/golden/make.ts`. */
import { sampleBytes } from "../samples.ts";

for (const [name, bytes] of sampleBytes()) {
  const url = new URL(name, import.meta.url);
  try {
    await Deno.writeFile(url, bytes, { createNew: true });
    console.log("made", name);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}
