import assert from "node:assert/strict";
import { curlLine } from "./announce.ts";

Deno.test("curlLine() is a shell command that sends its JSON unharmed", async () => {
  const model = `it's "odd" $HOME \\ \`x\``;
  const line = curlLine("http://127.0.0.1:1", model);
  const script = `curl() { for a in "$@"; do printf '%s\\0' "$a"; done; }; ${line}`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  const args = new TextDecoder().decode(stdout).split("\0");
  assert.equal(args[0], "http://127.0.0.1:1/v1/chat/completions");
  assert.equal(JSON.parse(args[args.indexOf("-d") + 1]).model, model);
});
