import assert from "node:assert/strict";
import { standaloneFlags } from "./permissions.ts";

/** What the router's program says to these arguments, run as its task runs it. */
async function say(...args: string[]): Promise<{ readonly code: number; readonly text: string }> {
  const main = new URL("../router/main.ts", import.meta.url).pathname;
  const flags = standaloneFlags("router");
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", ...flags, main, ...args],
  });
  const { code, stdout } = await command.output();
  return { code, text: new TextDecoder().decode(stdout) };
}

Deno.test("a service's program prints its options and the schema of its config file, and ends", async () => {
  const help = await say("--help");
  assert.equal(help.code, 0);
  assert.match(help.text, /^deno task router: /);
  assert.match(help.text, /--config-schema/);
  const schema = await say("--config-schema");
  assert.equal(schema.code, 0);
  const { $schema, properties } = JSON.parse(schema.text);
  assert.equal($schema, "https://json-schema.org/draft/2020-12/schema");
  assert.equal(properties.nats.default, "nats://127.0.0.1:4222");
  assert.equal(properties.kv.properties.temperature.default, "0");
});
