import assert from "node:assert/strict";
import { findServer } from "@pixii/runtime";
import { startStack } from "./stack.ts";
import { until } from "./until.ts";

const servers = findServer("nats-server") !== undefined && findServer("etcd") !== undefined;
const micro = new URL("../models/micro.gguf", import.meta.url).pathname;
const name = "queue";

Deno.test({
  name: "queue: over a full worker requests wait, the rest is shed, and a killed router loses none",
  ignore: !servers,
  async fn() {
    const routerFlags = ["--queue-waiting-per-rank", "0", "--queue-max-requests", "4"];
    await using stack = await startStack({ routerFlags });
    const flags = ["--engine", "sim", "--max-seqs", "2", "--labels", "zone=a"];
    stack.addWorker({ model: micro, name, flags });
    await stack.untilServed(name);
    const ask = async (tokens: number, headers: Record<string, string> = {}) => {
      const response = await fetch(`${stack.url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({
          ...{ model: name, prompt: "Once", max_tokens: tokens, ignore_eos: true },
        }),
      });
      const body = await response.json();
      const { status } = response;
      if (status === 200) assert.equal(body.usage.completion_tokens, tokens);
      return { status, code: body.error?.code, after: response.headers.get("retry-after") };
    };
    const waiting = (count: number) =>
      until(`${count} requests wait`, async () => {
        const metrics = await stack.metrics("router");
        const found = /^pixii_router_queue_pending_requests\{.*\} (\d+)/m.exec(metrics)?.[1] ?? "0";
        return found === `${count}` || `${found} wait`;
      }, 20_000);
    assert.equal((await ask(1, { "x-pixii-require": "zone=a" })).status, 200);
    const elsewhere = await ask(1, { "x-pixii-require": "zone=b" });
    assert.deepEqual([elsewhere.status, elsewhere.code], [503, "no_worker"]);

    const first = Array.from({ length: 10 }, (_, i) => ask(100, { "x-pixii-tenant": `t${i}` }));
    const answers = await Promise.all(first);
    const shed = answers.filter(({ status }) => status === 529);
    assert.equal(answers.filter(({ status }) => status === 200).length, 6);
    assert.equal(shed.length, 4, JSON.stringify(answers));
    assert.ok(shed.every(({ code, after }) => code === "overloaded" && Number(after) >= 1));
    await waiting(0);

    const second = Array.from({ length: 6 }, () => ask(400, { "x-pixii-priority": "1" }));
    await waiting(4);
    const [router] = stack.programs.filter((one) => one.name === "router");
    stack.addProgram("router");
    await router.end("SIGKILL");
    const statuses = (await Promise.all(second)).map(({ status }) => status);
    assert.deepEqual(statuses, new Array(6).fill(200));
  },
});
