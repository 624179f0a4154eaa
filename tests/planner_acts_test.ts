import assert from "node:assert/strict";
import { connectRegistry, findServer, recordingLog, systemClock } from "@pixii/runtime";
import { encodeRecord, keys } from "@pixii/wire";
import type { PlanOrder } from "@pixii/wire";
import { startDev } from "./dev.ts";
import type { Dev } from "./dev.ts";
import { until } from "./until.ts";

const servers = findServer("nats-server") !== undefined && findServer("etcd") !== undefined;
const model = "tiny";
const tokens = 60;

/** A running `dev --planner act` with simulated workers: the same prompt and seed give the same words. */
async function startActing() {
  const dev = await startDev([
    ...["--model", model, "--engine", "sim", "--topology", "processes", "--prefill", "1"],
    ...["--decode", "2", "--planner", "act", "--planner.gpus", "4", "--planner.reactive", "250ms"],
  ]);
  const facts = dev.facts as Dev["facts"] & { readonly etcd: string };
  const registry = await connectRegistry(facts.etcd, {
    ...{ clock: systemClock(), log: recordingLog(), signal: new AbortController().signal },
  });
  assert.ok(registry.ok);
  const names = keys(facts.namespace);
  return {
    dev,
    pin: async (prefill: number, decode: number, both = 0) => {
      const order: PlanOrder = {
        ...{ id: "o", kind: "pin", reason: "a test", by: "operator", model, givenAt: "now" },
        ...{ counts: { prefill, decode, both }, forMs: 60_000 },
      };
      const put = await registry.value.put(names.order("o"), encodeRecord("planOrder", order), {
        ttlMs: 60_000,
      });
      assert.ok(put.ok);
    },
    wishes: async () => {
      const listed = await registry.value.list(names.desires);
      assert.ok(listed.ok);
      return listed.value.map(({ value }) => value);
    },
    async [Symbol.asyncDispose]() {
      await registry.value[Symbol.asyncDispose]();
      await dev[Symbol.asyncDispose]();
    },
  };
}

type Acting = Awaited<ReturnType<typeof startActing>>;

async function complete(url: string, prompt: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({
      ...{ model, prompt, max_tokens: tokens, ignore_eos: true, temperature: 0, seed: 7 },
      ...{ stream: true, stream_options: { include_usage: true } },
    }),
  });
  const body = await response.text();
  assert.equal(response.status, 200, body);
  assert.ok(body.trimEnd().endsWith("data: [DONE]"), body.slice(-400));
  const chunks = body.split("\n").filter((line) => line.startsWith("data: {"))
    .map((line) => JSON.parse(line.slice(6)));
  const usage = chunks.find((chunk) => chunk.usage)?.usage;
  assert.equal(usage?.completion_tokens, tokens, body.slice(-400));
  return {
    text: chunks.map((chunk) => chunk.choices[0]?.text ?? "").join(""),
    cached: usage.prompt_tokens_details.cached_tokens as number,
  };
}

/** Streams in several lanes, one after another, each of whose words are known; fails with the first that is not as it was. */
class Load {
  readonly #url: string;
  readonly #failed: Promise<Error | undefined>;
  #isRunning = true;
  done = 0;

  private constructor(url: string, lanes: readonly (readonly [string, string])[]) {
    this.#url = url;
    this.#failed = Promise.all(lanes.map((lane) => this.#run(lane)))
      .then(() => undefined, (error: Error) => error);
  }

  static async start(url: string): Promise<Load> {
    const prompts = [1, 2, 3, 4, 5, 6].map((lane) => `Story ${lane}: `.repeat(40));
    const lanes = prompts.map(async (one) => [one, (await complete(url, one)).text] as const);
    return new Load(url, await Promise.all(lanes));
  }

  /** What went wrong since the start; nothing where nothing did. */
  async end(): Promise<Error | undefined> {
    this.#isRunning = false;
    return await this.#failed;
  }

  async #run([prompt, text]: readonly [string, string]): Promise<void> {
    while (this.#isRunning) {
      assert.equal((await complete(this.#url, prompt)).text, text, "no token is lost or repeated");
      this.done += 1;
    }
  }
}

async function workersOf({ dev }: Acting) {
  const facts = await dev.ready();
  assert.ok(facts);
  return (facts.processes as readonly {
    service: string;
    role?: string;
    pid: number;
    instance: string;
  }[])
    .filter(({ service }) => service === "worker");
}

async function untilRoles(acting: Acting, wanted: string): Promise<void> {
  await until(`workers are ${wanted}`, async () => {
    const roles = (await workersOf(acting)).map(({ role }) => role).sort().join();
    return roles === wanted || `${roles}\n${acting.dev.stdout().slice(-600)}`;
  }, 20_000);
}

function isAlive(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`) !== "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test({
  name:
    "planner that acts: an operator's pins change a worker's role, start and stop processes while streams run; none fails",
  ignore: !servers || Deno.build.os !== "linux",
  async fn(t) {
    await using acting = await startActing();
    const { dev, pin, wishes } = acting;
    const { url } = dev.facts;
    const load = await Load.start(url);
    const pids = new Set((await workersOf(acting)).map(({ pid }) => pid));

    await t.step("a worker changes its role and keeps what it has cached", async () => {
      const before = await workersOf(acting);
      const prompt = "Once upon a time. ".repeat(40);
      const at = (instance: string) => complete(url, prompt, { "x-pixii-worker": instance });
      for (const one of before.filter(({ role }) => role === "decode")) await at(one.instance);
      await pin(1, 1, 1);
      await untilRoles(acting, "both,decode,prefill");
      const [flipped] = (await workersOf(acting)).filter(({ role }) => role === "both");
      const same = before.find(({ instance }) => instance === flipped.instance);
      assert.equal(same?.pid, flipped.pid, "it was not started again");
      assert.equal(same?.role, "decode");
      assert.ok((await at(flipped.instance)).cached >= 64);
      await pin(2, 1);
      await untilRoles(acting, "decode,prefill,prefill");
      await pin(1, 2);
      await untilRoles(acting, "decode,decode,prefill");
      await until("no wish is left", async () => {
        const left = await wishes();
        return left.length === 0 || left.join();
      });
    });

    await t.step("workers start, and others end for good", async () => {
      await pin(2, 2);
      await untilRoles(acting, "decode,decode,prefill,prefill");
      for (const { pid } of await workersOf(acting)) pids.add(pid);
      assert.equal(pids.size, 4);
      const done = load.done;
      await pin(1, 1);
      await untilRoles(acting, "decode,prefill");
      const left = (await workersOf(acting)).map(({ pid }) => pid);
      await until(
        "the others are gone",
        () => [...pids].filter(isAlive).length === 2 || [...pids].filter(isAlive),
        20_000,
      );
      await until("requests go on", () => load.done >= done + 12 || load.done);
      assert.deepEqual((await workersOf(acting)).map(({ pid }) => pid), left);
      assert.match(dev.stdout(), /scale +tiny: starts worker\/tiny-4 \(prefill\); .*a test/);
      assert.match(dev.stdout(), /scale +tiny: stops worker\/tiny-\d, stops worker\/tiny-\d; /);
    });

    assert.equal(await load.end(), undefined);
    assert.ok(load.done > 20, `${load.done} requests`);
    assert.equal(await dev.end("SIGTERM"), 0);
    await until("nothing is left", () => ![...pids].some(isAlive) || [...pids].filter(isAlive));
  },
});
