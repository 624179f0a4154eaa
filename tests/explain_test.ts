import assert from "node:assert/strict";
import { findServer } from "@pixii/runtime";
import { startStack } from "./stack.ts";
import { until } from "./until.ts";

const servers = await findServer("nats-server") !== undefined &&
  await findServer("etcd") !== undefined;
const micro = new URL("../models/micro.gguf", import.meta.url).pathname;
const command = new URL("../cluster/explain/main.ts", import.meta.url).pathname;
const name = "explained";

/** Runs the command as a process of its own. */
async function explain(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", command, ...args],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test({
  name:
    "explain: finds a real request at one of two routers by the client's own id, and replays it",
  ignore: !servers,
  async fn() {
    await using stack = await startStack();
    stack.addProgram("router");
    const flags = ["--engine", "sim", "--sim-speed", "inf", "--sim-block-size", "16"];
    for (let i = 0; i < 2; i++) stack.addWorker({ model: micro, name, flags });
    await stack.untilServed(name, 2);
    const ask = async (id: string) => {
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: "POST",
        headers: {
          ...{ "content-type": "application/json", "x-pixii-debug": "1", "x-request-id": id },
        },
        body: JSON.stringify({
          ...{ model: name, max_tokens: 8, ignore_eos: true },
          messages: [{ role: "user", content: "the same words over and over ".repeat(20) }],
        }),
      });
      const body = await response.json();
      assert.equal(response.status, 200, JSON.stringify(body));
      return response.headers.get("x-pixii-worker")!;
    };
    await ask("first");
    const where = ["--etcd", stack.etcd.url, "--namespace", "test"];
    const worker = await ask("second");
    const cached = /of \d+ prompt tokens came from caches; \d+ were expected/;
    await until("the routers know how it ended", async () => {
      const { code, out, err } = await explain("second", ...where, "--replay");
      if (code !== 0) return err;
      assert.match(out, new RegExp(`Why ${worker}`));
      assert.match(out, /Made again: equal, bit for bit/);
      return cached.test(out) && /8 output tokens: length/.test(out) || out;
    }, 30_000);
    const denied = await explain("second", ...where, "--what-if", `deny=${worker.slice(0, 16)}`);
    assert.equal(denied.code, 0, denied.err);
    assert.match(denied.out, new RegExp(`instead of ${worker}`));
    const unknown = await explain("third", ...where);
    assert.equal(unknown.code, 3);
    assert.match(unknown.err, /No decision of request third/);
  },
});
