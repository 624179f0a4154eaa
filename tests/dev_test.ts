import assert from "node:assert/strict";
import OpenAI from "openai";
import { findServer } from "@pixii/runtime";
import { startDev } from "./dev.ts";
import { smollm2Path } from "@pixii/workers/testing";
import { chat } from "./chat.ts";
import { until } from "./until.ts";

const model = smollm2Path();
const servers = await findServer("nats-server") !== undefined &&
  await findServer("etcd") !== undefined;

function alive(pid: number): boolean {
  try {
    // A zombie of a stopped launcher has no command line left.
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`) !== "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

for (const topology of ["one", "processes"]) {
  Deno.test({
    name:
      `dev --topology ${topology}: the OpenAI SDK talks to SmolLM2; SIGINT leaves nothing behind`,
    ignore: model === undefined || (topology === "processes" && !servers),
    async fn() {
      await using dev = await startDev(["--topology", topology, "--model", `${model!},ctx=2048`]);
      assert.equal(dev.facts.topology, topology);
      const [name] = dev.facts.models;
      const client = new OpenAI({ baseURL: `${dev.facts.url}/v1`, apiKey: "none", maxRetries: 0 });
      const answer = await client.chat.completions.create({
        model: name,
        messages: chat("What is the capital of France?"),
        temperature: 0,
        max_tokens: 32,
      });
      assert.match(answer.choices[0].message.content ?? "", /Paris/);
      const stream = await client.completions.create({
        model: name,
        prompt: "The capital of France is",
        temperature: 0,
        max_tokens: 8,
        stream: true,
      });
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
      assert.match(text, /Paris/);

      const services = dev.facts.processes.map((one) => one.service).sort();
      assert.deepEqual(services, ["frontend", "kvbm", "planner", "router", "worker"]);
      for (const one of dev.facts.processes) {
        const response = await fetch(`${one.admin}/health`);
        const health = await response.text();
        assert.equal(response.status, 200, `${one.service}: ${health}`);
        const metrics = await (await fetch(`${one.admin}/metrics`)).text();
        assert.match(metrics, new RegExp(`pixii_${one.service}_`), one.service);
      }
      assert.match(dev.stdout(), /ready in \d/);
      assert.match(dev.stdout(), /curl /);
      assert.equal(await dev.end("SIGINT"), 0);
      assert.equal(await dev.ready(), undefined, "the ready file is removed");
      const pids = dev.facts.processes.map((one) => one.pid);
      await until(
        "all processes are gone",
        () => pids.filter(alive).length === 0 || pids.filter(alive),
      );
    },
  });
}
