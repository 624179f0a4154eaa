import { librariesFolder } from "@pixii/workers/testing";

/** A program in C that cuts the blocks of a prompt out of llama.cpp's cache each time it is asked to. */
export interface CCutter extends AsyncDisposable {
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** Cuts all blocks; resolves with the milliseconds it took. */
  cut(): Promise<number>;
}

/** Builds the program with gcc and starts it; undefined where there is no gcc. */
export async function startCCutter(
  options: { readonly model: string; readonly tokens: number; readonly cells: number },
): Promise<CCutter | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "pixii-cut-" });
  const program = `${folder}/cut`;
  try {
    const source = new URL("./cut.c", import.meta.url).pathname;
    const args = ["-O2", "-o", program, source, "-ldl"];
    const built = await new Deno.Command("gcc", { args, stderr: "inherit" }).output();
    if (!built.success) throw new Error("gcc cannot build bench/kv/cut.c");
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const libraries = await librariesFolder();
  if (!libraries.ok) throw new Error(libraries.error.message);
  const names = [...Deno.readDirSync(libraries.value)].map(({ name }) => name);
  const named = (pattern: RegExp) => names.find((name) => pattern.test(name))!;
  const child = new Deno.Command(program, {
    args: [
      ...[libraries.value, named(/^libllama\.v[\d.]+\.so$/), named(/^libggml\.v[\d.]+\.so$/)],
      ...[options.model, `${options.tokens}`, `${options.cells}`, `/dev/shm/pixii-cut-${Deno.pid}`],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = linesOf(child.stdout);
  const next = async () => {
    const line = await lines.next();
    if (line.done) throw new Error("the program in C has ended");
    return line.value;
  };
  const blockBytes = Number((await next()).split(" ")[1]);
  return {
    blockBytes,
    async cut() {
      await writer.write(new Uint8Array([10]));
      return Number(await next()) / 1e6;
    },
    async [Symbol.asyncDispose]() {
      await writer.close();
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
