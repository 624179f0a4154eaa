import assert from "node:assert/strict";
import { findServer } from "@pixii/runtime";
import { startStack } from "./stack.ts";
import { until } from "./until.ts";

const servers = findServer("nats-server") !== undefined && findServer("etcd") !== undefined;
const micro = new URL("../models/micro.gguf", import.meta.url).pathname;
const name = "fleet";
const ranks = 100;

Deno.test({
  name: "fleet: 200 sim workers under one router share the load, and a prompt goes where it was",
  ignore: !servers,
  async fn() {
    await using stack = await startStack();
    const flags = ["--engine", "sim", "--sim-speed", "inf", "--ranks", `${ranks}`];
    for (let i = 0; i < 2; i++) stack.addWorker({ model: micro, name, flags });
    await stack.untilServed(name, 2);
    const ask = async (content: string) => {
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-pixii-debug": "1" },
        body: JSON.stringify({
          ...{ model: name, max_tokens: 8, ignore_eos: true },
          messages: [{ role: "user", content }],
        }),
      });
      const body = await response.json();
      assert.equal(response.status, 200, JSON.stringify(body));
      assert.equal(body.usage.completion_tokens, 8);
      return {
        worker: response.headers.get("x-pixii-worker")!,
        cached: body.usage.prompt_tokens_details.cached_tokens as number,
      };
    };
    await until("the router knows 200 ranks", async () => {
      const metrics = await stack.metrics("router");
      const live = /^pixii_router_workers\{state="live".*\} (\d+)/m.exec(metrics)?.[1];
      return live === "200" || metrics.match(/^pixii_router_workers.*$/gm);
    }, 30_000);

    const prompt = (i: number) => `Story ${i}. ` + `word${i} and more of them `.repeat(12);
    const seen: Awaited<ReturnType<typeof ask>>[] = [];
    for (let round = 0; round < 10; round++) {
      const indexes = Array.from({ length: 40 }, (_, i) => 40 * round + i);
      seen.push(...await Promise.all(indexes.map((i) => ask(prompt(i)))));
    }
    const workers = new Set(seen.map((one) => one.worker));
    assert.ok(workers.size > 100, `400 prompts went to ${workers.size} of 200 workers`);

    let same = 0;
    for (let i = 0; i < 100; i++) {
      const again = await ask(prompt(i));
      if (again.worker === seen[i].worker && again.cached > 0) same += 1;
    }
    assert.ok(same >= 90, `only ${same} of 100 prompts went where their blocks are`);
  },
});
