/** A kvbm in a process of its own, without servers. */
export interface KvbmChild extends AsyncDisposable {
  /** Path of its socket. */
  readonly socket: string;
}

/** Starts one with these flags; resolves when workers can connect. */
export async function startKvbmChild(flags: readonly string[]): Promise<KvbmChild> {
  const program = new URL("./kvbm_program.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", program, ...flags],
    ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  return {
    socket: value.trim(),
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}
