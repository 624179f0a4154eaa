/**
 * `deno task bench:agents`: multi-turn agent sessions with shared system prompts on two llama workers (SmolLM2, one thread
 * each) through the full HTTP path over NATS and etcd: policy `kv` against `round-robin`. Each policy has a cluster and
 * caches of its own and is fed the replies of its own workers; both take turns, one turn of all sessions each, since a
 * shared machine's speed drifts. Flags: see `--help`.
 */
import { parseArgs } from "node:util";
import { agentSessions, turnOrder } from "./agent_sessions.ts";
import type { AgentSession, AgentShape, ChatMessage } from "./agent_sessions.ts";
import { chat, closedLoop } from "./chat_client.ts";
import type { ChatTiming } from "./chat_client.ts";
import { startDev } from "./child.ts";
import type { Dev } from "./child.ts";
import { median, printFigure, printMachine, quantile } from "./figure.ts";

const help = `deno task bench:agents [FLAGS]

  --json              one JSON line per figure
  --rounds N          runs, each on fresh clusters (1)
  --sessions N        agent sessions (14)
  --turns N           turns of each (5)
  --systems N         shared system prompts (2)
  --system-words N    words of a system prompt (300)
  --task-words N      words of the task that a session begins with (450)
  --turn-words N      words of what it says in every later turn (30)
  --osl N             tokens of a reply (24)
  --concurrency N     sessions at a time (4)
  --kv-cells N        KV cells of a worker (6144)
  --kv-host SIZE      host tier, shared by both workers (0: each worker has only its own cache, as on two hosts)
  --seed N            of the sessions (1)
  --model NAME        model under test (smollm2)`;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    help: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "1" },
    sessions: { type: "string", default: "14" },
    turns: { type: "string", default: "5" },
    systems: { type: "string", default: "2" },
    "system-words": { type: "string", default: "300" },
    "task-words": { type: "string", default: "450" },
    "turn-words": { type: "string", default: "30" },
    osl: { type: "string", default: "24" },
    concurrency: { type: "string", default: "4" },
    "kv-cells": { type: "string", default: "6144" },
    "kv-host": { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    model: { type: "string", default: "smollm2" },
  },
});

const policies = ["kv", "round-robin"] as const;
type Policy = typeof policies[number];

const shape: AgentShape = {
  sessions: Number(values.sessions),
  turns: Number(values.turns),
  systems: Number(values.systems),
  systemWords: Number(values["system-words"]),
  taskWords: Number(values["task-words"]),
  turnWords: Number(values["turn-words"]),
};

/** What a policy's cluster has seen so far. */
interface Side {
  readonly dev: Dev;
  /** Messages of each session up to now. */
  readonly chats: ChatMessage[][];
  readonly timings: ChatTiming[];
  seconds: number;
}

async function startSide(policy: Policy, sessions: readonly AgentSession[]): Promise<Side> {
  const dev = await startDev([
    ...["--topology", "processes", "--model", values.model, "--served-name", "bench"],
    ...["--workers", "2", "--threads", "1", "--max-seqs", "4", "--ctx", values["kv-cells"]],
    ...["--router", policy, "--kv-host", values["kv-host"]],
  ]);
  const chats = sessions.map(({ system }): ChatMessage[] => [{ role: "system", content: system }]);
  return { dev, chats, timings: [], seconds: 0 };
}

/** One turn of all sessions. */
async function takeTurn(side: Side, sessions: readonly AgentSession[], turn: number) {
  const order = turnOrder(sessions.length, 1000 * Number(values.seed) + turn);
  const startedMs = performance.now();
  const { timings } = await closedLoop({
    concurrency: Number(values.concurrency),
    total: sessions.length,
    one: async (index) => {
      const session = order[index];
      const messages = side.chats[session];
      messages.push({ role: "user", content: sessions[session].says[turn] });
      const timing = await chat(side.dev.url, {
        ...{ model: "bench", messages, max_tokens: Number(values.osl) },
        ...{ temperature: 0, ignore_eos: true },
      });
      if (timing.outputTokens !== Number(values.osl)) {
        throw new Error(`expected ${values.osl} tokens, got ${timing.outputTokens}`);
      }
      messages.push({ role: "assistant", content: timing.text });
      return timing;
    },
  });
  side.seconds += (performance.now() - startedMs) / 1000;
  side.timings.push(...timings);
}

interface RoundResult {
  readonly tokensPerSecond: number;
  readonly ttftP50: number;
  readonly ttftP95: number;
  readonly cachedShare: number;
}

function resultOf({ timings, seconds }: Side): RoundResult {
  const sum = (of: (timing: ChatTiming) => number) =>
    timings.reduce((total, timing) => total + of(timing), 0);
  const ttfts = timings.map((timing) => timing.ttftMs);
  return {
    tokensPerSecond: sum((timing) => timing.outputTokens) / seconds,
    ttftP50: quantile(ttfts, 0.5),
    ttftP95: quantile(ttfts, 0.95),
    cachedShare: sum((timing) => timing.cachedTokens) / sum((timing) => timing.promptTokens),
  };
}

async function runRound(seed: number): Promise<Record<Policy, RoundResult>> {
  const sessions = agentSessions(shape, seed);
  await using stack = new AsyncDisposableStack();
  const start = async (policy: Policy) => {
    const side = await startSide(policy, sessions);
    stack.use(side.dev);
    return side;
  };
  const sides = { kv: await start("kv"), "round-robin": await start("round-robin") };
  for (let turn = 0; turn < shape.turns; turn++) {
    const order = turn % 2 === 0 ? policies : policies.toReversed();
    for (const policy of order) {
      await takeTurn(sides[policy], sessions, turn);
      const { tokensPerSecond, ttftP50, cachedShare } = resultOf(sides[policy]);
      console.error(
        `turn ${turn + 1}, ${policy}: ${tokensPerSecond.toFixed(1)} tokens/s, TTFT p50 ${
          ttftP50.toFixed(0)
        } ms, ${(100 * cachedShare).toFixed(0)} % of the prompts cached, so far`,
      );
    }
  }
  return { kv: resultOf(sides.kv), "round-robin": resultOf(sides["round-robin"]) };
}

function printRatio(
  figure: string,
  unit: string,
  rounds: readonly { readonly kv: number; readonly "round-robin": number }[],
): void {
  const ratios = rounds.map((one) => one.kv / one["round-robin"]);
  const isRatio = unit === "ratio";
  printFigure({
    figure,
    value: median(isRatio ? ratios : rounds.map((one) => one.kv)),
    unit,
    better: isRatio ? "higher" : "lower",
    anchor: isRatio ? "round-robin tok/s" : "round-robin",
    anchorValue: median(rounds.map((one) => one["round-robin"])),
    ratio: median(ratios),
    runs: isRatio ? ratios : rounds.map((one) => one.kv),
  }, values.json);
}

if (values.help) {
  console.log(help);
  Deno.exit(0);
}
await printMachine();
const rounds: Record<Policy, RoundResult>[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  rounds.push(await runRound(Number(values.seed) + round));
}
const of = (key: keyof RoundResult) =>
  rounds.map((one) => ({ kv: one.kv[key], "round-robin": one["round-robin"][key] }));
printRatio("agents.tokens_vs_rr", "ratio", of("tokensPerSecond"));
printRatio("agents.ttft_p50", "ms", of("ttftP50"));
printRatio("agents.ttft_p95", "ms", of("ttftP95"));
for (const policy of policies) {
  printFigure({
    figure: `agents.cached.${policy}`,
    value: median(rounds.map((one) => one[policy].cachedShare)),
    unit: "share",
    better: "higher",
  }, values.json);
}
