import assert from "node:assert/strict";
import { startDev } from "./dev.ts";
import type { Dev } from "./dev.ts";
import { until } from "./until.ts";

const longTokens = 150;

/** Names of models, by whether they sleep. */
async function modelsOf({ facts: { url } }: Dev) {
  const { data } = await (await fetch(`${url}/v1/models`)).json();
  const models = data as readonly { id: string; asleep?: boolean }[];
  const names = (asleep: boolean) =>
    models.filter((one) => (one.asleep ?? false) === asleep).map(({ id }) => id);
  return { awake: names(false), asleep: names(true) };
}

/** One streamed answer, which has to be whole. */
async function complete({ facts: { url } }: Dev, model: string, tokens: number): Promise<void> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...{ model, prompt: "Once", max_tokens: tokens, ignore_eos: true, stream: true },
      stream_options: { include_usage: true },
    }),
  });
  const body = await response.text();
  assert.equal(response.status, 200, body);
  assert.ok(body.trimEnd().endsWith("data: [DONE]"), body.slice(-400));
  assert.match(body, new RegExp(`"completion_tokens":${tokens}\\b`));
}

Deno.test(
  "two models on one GPU: one sleeps, requests for it wait until it has the GPU, and what runs meanwhile ends whole",
  async () => {
    await using dev = await startDev([
      ...["--model", "tiny", "--served-name", "a", "--model", "tiny", "--served-name", "b"],
      ...["--engine", "sim", "--topology", "one", "--planner", "act"],
      ...["--planner.gpus", "1", "--planner.sleep-after", "1h", "--planner.reactive", "250ms"],
      ...["--planner.cool-down", "0", "--planner.start-time", "1s"],
    ]);
    await until("one of them sleeps", async () => {
      const { asleep } = await modelsOf(dev);
      return asleep.length === 1 || dev.stdout().slice(-400);
    });
    const { awake: [awake], asleep: [asleep] } = await modelsOf(dev);
    const running = complete(dev, awake, longTokens);
    const waiting = [1, 2, 3].map(() => complete(dev, asleep, 5));
    await Promise.all([running, ...waiting]);
    await until("they have changed places", async () => {
      const now = await modelsOf(dev);
      return now.awake.join() === asleep && now.asleep.join() === awake || JSON.stringify(now);
    });
    const said = dev.stdout().split("\n").filter((line) => line.startsWith("scale"));
    assert.match(said[1] ?? "", new RegExp(` ${awake}: stops .*requests wait for ${asleep}`));
    assert.match(
      said[2] ?? "",
      new RegExp(` ${asleep}: starts .*wakes: \\d requests? waits? for it`),
    );
    assert.equal(await dev.end("SIGTERM"), 0);
  },
);
