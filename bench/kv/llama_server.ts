import { freePort, startChild, untilOk } from "../child.ts";
import { firstToken } from "./first_token.ts";

/** A llama-server with one slot, its prompt cache in memory and a folder for saved slots. */
export interface LlamaServer extends AsyncDisposable {
  /** Time to the first token of a prompt; what it holds of it is used. */
  ttft(prompt: readonly number[]): Promise<number>;
  /** Saves the slot to a file of this name, or takes it back; the milliseconds it took. */
  slot(action: "save" | "restore", name: string): Promise<number>;
}

/** Starts it with one thread; resolves when it answers. */
export async function startLlamaServer(
  program: string,
  options: { readonly model: string; readonly ctx: number },
): Promise<LlamaServer> {
  const folder = await Deno.makeTempDir({ prefix: "pixii-slots-" });
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = startChild(program, {
    args: [
      ...["-m", options.model, "-c", `${options.ctx}`, "-np", "1", "-t", "1", "-tb", "1"],
      ...["-fa", "on", "--cache-ram", "2048", "--slot-save-path", folder, "--port", `${port}`],
    ],
    url,
  });
  await untilOk(`${url}/health`, 60_000);
  return {
    async ttft(prompt) {
      const body = { prompt, n_predict: 4, temperature: 0, stream: true, cache_prompt: true };
      const isFirst = (data: string) => data.includes('"content":"') || data.includes('"tokens":[');
      const asked = { body: { ...body, id_slot: 0 }, isFirst };
      const { ttftMs } = await firstToken(`${url}/completion`, asked);
      return ttftMs;
    },
    async slot(action, name) {
      const startedMs = performance.now();
      const response = await fetch(`${url}/slots/0?action=${action}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ filename: `${name}.bin` }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status}: ${text}`);
      return performance.now() - startedMs;
    },
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
