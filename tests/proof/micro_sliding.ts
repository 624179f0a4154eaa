/** The micro model with sliding windows, in a folder that is removed at the end. */
export async function microSliding(): Promise<AsyncDisposable & { readonly path: string }> {
  const root = new URL("../../", import.meta.url);
  const made = await import(new URL("models/micro_sliding.ts", root).href) as {
    microSlidingModel(text: string): Uint8Array;
  };
  const folder = await Deno.makeTempDir({ prefix: "pixii-sliding-" });
  const path = `${folder}/micro-sliding.gguf`;
  await Deno.writeFile(
    path,
    made.microSlidingModel(await Deno.readTextFile(new URL("LICENSE", root))),
  );
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
