/**
 * Compiles the prefix index's AssemblyScript to the WebAssembly that lies, as base64, in `core/index/module.ts`:
 * `deno run -A router/testing/build_index.ts`. Same sources, same bytes.
 */
const compiler = "npm:assemblyscript@0.28.9/asc";
/** Joined in this order to one module. */
const parts = ["heap", "runs", "owners", "joins", "store", "query"];
const folder = new URL("../core/index/", import.meta.url);

/** The sources as one text. */
export async function indexSource(): Promise<string> {
  const texts = await Promise.all(
    parts.map((part) => Deno.readTextFile(new URL(`${part}.as`, folder))),
  );
  return texts.join("\n");
}

/** What `module.ts` says the bytes were made from. */
export async function sourceDigest(): Promise<string> {
  const bytes = new TextEncoder().encode(await indexSource());
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function build(): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "pixii-index-" });
  try {
    await Deno.writeTextFile(`${work}/index.ts`, await indexSource());
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-lock", compiler, "index.ts", "-o", "index.wasm", "-O3"],
        ...["--runtime", "stub", "--enable", "simd", "--initialMemory", "1", "--noAssert"],
        ...["--use", "abort=", ...(Deno.env.get("PIXII_DEBUG") ? ["--debug"] : [])],
      ],
      cwd: work,
      stdout: "inherit",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const bytes = await Deno.readFile(`${work}/index.wasm`);
    const digest = await sourceDigest();
    await Deno.writeTextFile(
      new URL("module.ts", folder),
      `// Made by router/testing/build_index.ts from the .as files here: change those.\n` +
        `/** sha256 of the sources. */\nexport const sourceDigest = "${digest}";\n` +
        `/** The index as WebAssembly, base64. */\nexport const moduleBase64 =\n  "${bytes.toBase64()}";\n`,
    );
    console.log(`${bytes.length} bytes`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

if (import.meta.main) await build();
