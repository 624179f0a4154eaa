/**
 * `deno task bench:agents`: multi-turn agent sessions with shared system prompts on two llama workers (SmolLM2, one thread
 * each) through the full HTTP path over NATS and etcd: policy `kv` (or `ttft`) against `round-robin`. Each policy has a
 * cluster and caches of its own and is fed the replies of its own workers; both take turns, one turn of all sessions each,
 * since a shared machine's speed drifts. Flags: see `--help`.
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
  --sessions N        agent sessions (12)
  --turns N           turns of each (5)
  --systems N         shared system prompts (2)
  --system-words N    words of a system prompt (300)
  --task-words N      words of the task that a session begins with (450)
  --turn-words N      words of what it says in every later turn (15)
  --osl N             tokens of a reply (16)
  --concurrency N     sessions at a time (4)
  --kv-cells N        KV cells of a worker (5376)
  --kv-host SIZE      host tier, shared by both workers (0: each worker has only its own cache, as on two hosts)
  --seed N            of the sessions (1)
  --model NAME        model under test (smollm2)
  --policy P          policy against round-robin: kv or ttft (kv)
  --prefill-scale X   kv.prefill-scale of policy kv (16: see docs/performance.md; 1 = the router's default)
  --profile FILE      the workers' profile (deno task profile), which policy ttft foretells with
  --sim FILE          simulated workers with this profile (deno task profile) in place of llama, for a look
  --sim-speed X       how much faster than the model those are (1)`;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    help: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "1" },
    sessions: { type: "string", default: "12" },
    turns: { type: "string", default: "5" },
    systems: { type: "string", default: "2" },
    "system-words": { type: "string", default: "300" },
    "task-words": { type: "string", default: "450" },
    "turn-words": { type: "string", default: "15" },
    osl: { type: "string", default: "16" },
    concurrency: { type: "string", default: "4" },
    "kv-cells": { type: "string", default: "5376" },
    "kv-host": { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    model: { type: "string", default: "smollm2" },
    policy: { type: "string", default: "kv" },
    "prefill-scale": { type: "string", default: "16" },
    profile: { type: "string", default: "" },
    sim: { type: "string", default: "" },
    "sim-speed": { type: "string", default: "1" },
  },
});

if (values.policy !== "kv" && values.policy !== "ttft") {
  console.error(`Cannot use --policy: must be kv or ttft, got ${JSON.stringify(values.policy)}`);
  Deno.exit(2);
}
const tested: "kv" | "ttft" = values.policy;
type Policy = typeof tested | "round-robin";
const policies: readonly Policy[] = [tested, "round-robin"];

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
  /** Which worker each session was on last, and how often one came to another. */
  readonly workers: Map<number, string>;
  moves: number;
  seconds: number;
}

/** Flags that put simulated workers in place of llama's: as many blocks, the same chunks. */
async function simFlags(): Promise<readonly string[]> {
  if (values.sim === "") return [];
  const blocks = Math.floor(Number(values["kv-cells"]) / 64);
  return [
    ...["--engine", "sim", "--sim-speed", values["sim-speed"]],
    ...["--worker.sim-profile", await Deno.realPath(values.sim)],
    ...["--worker.sim-block-size", "64", "--worker.sim-blocks", `${blocks}`],
    ...["--worker.sim-chunk-tokens", "64", "--worker.sim-max-prefills", "1"],
  ];
}

async function startSide(policy: Policy, sessions: readonly AgentSession[]): Promise<Side> {
  const dev = await startDev([
    ...["--topology", "processes", "--model", values.model, "--served-name", "bench"],
    ...["--workers", "2", "--threads", "1", "--max-seqs", "4", "--ctx", values["kv-cells"]],
    ...["--router.policy", policy, "--kv-host", values["kv-host"], ...await simFlags()],
    ...(policy === "kv" ? ["--router.kv-prefill-scale", values["prefill-scale"]] : []),
    ...(policy === "ttft" && values.profile !== ""
      ? ["--worker.profile", await Deno.realPath(values.profile)]
      : []),
  ]);
  const chats = sessions.map(({ system }): ChatMessage[] => [{ role: "system", content: system }]);
  return { dev, chats, timings: [], workers: new Map(), moves: 0, seconds: 0 };
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
      noteWorker(side, session, timing.worker);
      return timing;
    },
  });
  side.seconds += (performance.now() - startedMs) / 1000;
  side.timings.push(...timings);
}

function noteWorker(side: Side, session: number, worker: string | undefined): void {
  if (worker === undefined) return;
  const last = side.workers.get(session);
  if (last !== undefined && last !== worker) side.moves += 1;
  side.workers.set(session, worker);
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

/** A round's results: of the policy under test, and of round-robin. */
interface Round {
  readonly tested: RoundResult;
  readonly roundRobin: RoundResult;
}

async function runRound(seed: number): Promise<Round> {
  const sessions = agentSessions(shape, seed);
  await using stack = new AsyncDisposableStack();
  const start = async (policy: Policy) => {
    const side = await startSide(policy, sessions);
    stack.use(side.dev);
    return side;
  };
  const sides = new Map<Policy, Side>();
  for (const policy of policies) sides.set(policy, await start(policy));
  for (let turn = 0; turn < shape.turns; turn++) {
    const order = turn % 2 === 0 ? policies : policies.toReversed();
    for (const policy of order) {
      const side = sides.get(policy)!;
      await takeTurn(side, sessions, turn);
      const { tokensPerSecond, ttftP50, cachedShare } = resultOf(side);
      console.error(
        `turn ${turn + 1}, ${policy}: ${tokensPerSecond.toFixed(1)} tokens/s, TTFT p50 ${
          ttftP50.toFixed(0)
        } ms, ${
          (100 * cachedShare).toFixed(0)
        } % of the prompts cached, ${side.moves} moves of sessions, so far`,
      );
    }
  }
  return {
    tested: resultOf(sides.get(tested)!),
    roundRobin: resultOf(sides.get("round-robin")!),
  };
}

/** A ratio of the tested policy to round-robin, or its own value with the ratio beside. */
function printBeside(
  { figure, key }: { readonly figure: string; readonly key: keyof RoundResult },
  rounds: readonly Round[],
): void {
  const ratios = rounds.map((one) => one.tested[key] / one.roundRobin[key]);
  const isRatio = key === "tokensPerSecond";
  const own = rounds.map((one) => one.tested[key]);
  printFigure({
    figure,
    value: median(isRatio ? ratios : own),
    unit: isRatio ? "ratio" : key === "cachedShare" ? "share" : "ms",
    better: isRatio || key === "cachedShare" ? "higher" : "lower",
    anchor: isRatio ? "round-robin tok/s" : "round-robin",
    anchorValue: median(rounds.map((one) => one.roundRobin[key])),
    ratio: median(ratios),
    runs: isRatio ? ratios : own,
  }, values.json);
}

if (values.help) {
  console.log(help);
  Deno.exit(0);
}
await printMachine();
const rounds: Round[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  rounds.push(await runRound(Number(values.seed) + round));
}
printBeside({ figure: "agents.tokens_vs_rr", key: "tokensPerSecond" }, rounds);
printBeside({ figure: "agents.ttft_p50", key: "ttftP50" }, rounds);
printBeside({ figure: "agents.ttft_p95", key: "ttftP95" }, rounds);
printBeside({ figure: "agents.cached", key: "cachedShare" }, rounds);
