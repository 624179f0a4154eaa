/**
 * `deno task bench:agents`: multi-turn agent sessions with shared system prompts on two llama workers (SmolLM2, one thread
 * each) through the full HTTP path over NATS and etcd: rows of policies against `round-robin`. Each row has a cluster and
 * caches of its own and is fed the replies of its own workers; all take turns, one turn of all sessions each, since a
 * shared machine's speed drifts. Flags: see `--help`.
 */
import { agentRows, roundRobin, rowsOf } from "./agent_rows.ts";
import type { AgentRow } from "./agent_rows.ts";
import { agentSessions, turnOrder } from "./agent_sessions.ts";
import type { AgentSession, AgentShape, ChatMessage } from "./agent_sessions.ts";
import { chat, closedLoop } from "./chat_client.ts";
import type { ChatTiming } from "./chat_client.ts";
import { startDev } from "./child.ts";
import type { Dev } from "./child.ts";
import { median, printFigure, printMachine, quantile } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";

const values = benchFlags({
  task: "bench:agents",
  summary: "Agent sessions on two llama workers: policies against round-robin.",
  specs: {
    json: jsonFlag,
    rounds: { kind: "number", help: "Runs, each on fresh clusters.", fallback: 1 },
    sessions: { kind: "number", help: "Agent sessions.", fallback: 12 },
    turns: { kind: "number", help: "Turns of each.", fallback: 5 },
    systems: { kind: "number", help: "Shared system prompts.", fallback: 2 },
    "system-words": { kind: "number", help: "Words of a system prompt.", fallback: 300 },
    "task-words": {
      kind: "number",
      help: "Words of the task that a session begins with.",
      fallback: 450,
    },
    "turn-words": { kind: "number", help: "Words of every later turn.", fallback: 15 },
    osl: { kind: "number", help: "Tokens of a reply.", fallback: 16 },
    concurrency: { kind: "number", help: "Sessions at a time.", fallback: 4 },
    "kv-cells": { kind: "number", help: "KV cells of a worker.", fallback: 5376 },
    "kv-host": {
      kind: "text",
      help: "Host tier of both workers; 0: each has only its own cache, as on two hosts.",
      fallback: "0",
    },
    seed: { kind: "number", help: "Of the sessions.", fallback: 1 },
    model: { kind: "text", help: "Model under test.", fallback: "smollm2" },
    policy: {
      kind: "text",
      help:
        "Rows against round-robin, one or more with commas between: kv, ttft, and ttft with requests that wait for their best worker (best, shortest).",
      fallback: "kv",
    },
    "prefill-scale": {
      kind: "number",
      help: "kv.prefill-scale of row kv (docs/performance.md); 1 is the router's default.",
      fallback: 16,
      min: 0,
    },
    profile: {
      kind: "text",
      help: "The workers' profile (deno task profile), which rows of ttft foretell with.",
      fallback: "",
    },
    sim: {
      kind: "text",
      help: "Simulated workers with this profile in place of llama, for a look.",
      fallback: "",
    },
    "sim-speed": {
      kind: "number",
      help: "How much faster than the model those are.",
      fallback: 1,
      min: 0,
    },
  },
});

const known = agentRows(values["prefill-scale"]);
const asked = rowsOf(values.policy, known);
if (typeof asked === "string") {
  const names = [...known.keys()].join(", ");
  console.error(
    `Cannot use --policy: must be of ${names}, got ${JSON.stringify(asked)}`,
  );
  Deno.exit(2);
}
const tested: readonly AgentRow[] = asked;
const rows: readonly AgentRow[] = [...tested, roundRobin];

const shape: AgentShape = {
  sessions: values.sessions,
  turns: values.turns,
  systems: values.systems,
  systemWords: values["system-words"],
  taskWords: values["task-words"],
  turnWords: values["turn-words"],
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
  const blocks = Math.floor(values["kv-cells"] / 64);
  return [
    ...["--engine", "sim", "--sim-speed", `${values["sim-speed"]}`],
    ...["--worker.sim-profile", await Deno.realPath(values.sim)],
    ...["--worker.sim-block-size", "64", "--worker.sim-blocks", `${blocks}`],
    ...["--worker.sim-chunk-tokens", "64", "--worker.sim-max-prefills", "1"],
  ];
}

async function startSide(row: AgentRow, sessions: readonly AgentSession[]): Promise<Side> {
  const dev = await startDev([
    ...["--topology", "processes", "--model", values.model, "--served-name", "bench"],
    ...["--workers", "2", "--threads", "1", "--max-seqs", "4", "--ctx", `${values["kv-cells"]}`],
    ...["--router.policy", row.policy, "--kv-host", values["kv-host"], ...await simFlags()],
    ...row.flags,
    ...(row.needsProfile && values.profile !== ""
      ? ["--worker.profile", await Deno.realPath(values.profile)]
      : []),
  ]);
  const chats = sessions.map(({ system }): ChatMessage[] => [{ role: "system", content: system }]);
  return { dev, chats, timings: [], workers: new Map(), moves: 0, seconds: 0 };
}

/** One turn of all sessions. */
async function takeTurn(side: Side, sessions: readonly AgentSession[], turn: number) {
  const order = turnOrder(sessions.length, 1000 * values.seed + turn);
  const startedMs = performance.now();
  const { timings } = await closedLoop({
    concurrency: values.concurrency,
    total: sessions.length,
    one: async (index) => {
      const session = order[index];
      const messages = side.chats[session];
      messages.push({ role: "user", content: sessions[session].says[turn] });
      const timing = await chat(side.dev.url, {
        ...{ model: "bench", messages, max_tokens: values.osl },
        ...{ temperature: 0, ignore_eos: true },
      });
      if (timing.outputTokens !== values.osl) {
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

/** A round's results by the name of the row. */
type Round = ReadonlyMap<string, RoundResult>;

async function runRound(seed: number): Promise<Round> {
  const sessions = agentSessions(shape, seed);
  await using stack = new AsyncDisposableStack();
  const sides = new Map<string, Side>();
  for (const row of rows) {
    const side = await startSide(row, sessions);
    stack.use(side.dev);
    sides.set(row.name, side);
  }
  for (let turn = 0; turn < shape.turns; turn++) {
    for (const { name } of turn % 2 === 0 ? rows : rows.toReversed()) {
      const side = sides.get(name)!;
      await takeTurn(side, sessions, turn);
      const { tokensPerSecond, ttftP50, cachedShare } = resultOf(side);
      console.error(
        `turn ${turn + 1}, ${name}: ${tokensPerSecond.toFixed(1)} tokens/s, TTFT p50 ${
          ttftP50.toFixed(0)
        } ms, ${
          (100 * cachedShare).toFixed(0)
        } % of the prompts cached, ${side.moves} moves of sessions, so far`,
      );
    }
  }
  return new Map([...sides].map(([name, side]) => [name, resultOf(side)]));
}

/** A ratio of a row to round-robin, or its own value with the ratio beside. */
function printBeside(
  { figure, key, row }: {
    readonly figure: string;
    readonly key: keyof RoundResult;
    readonly row: string;
  },
  rounds: readonly Round[],
): void {
  const own = rounds.map((round) => round.get(row)![key]);
  const others = rounds.map((round) => round.get(roundRobin.name)![key]);
  const ratios = own.map((value, at) => value / others[at]);
  const isRatio = key === "tokensPerSecond";
  printFigure({
    figure,
    value: median(isRatio ? ratios : own),
    unit: isRatio ? "ratio" : key === "cachedShare" ? "share" : "ms",
    better: isRatio || key === "cachedShare" ? "higher" : "lower",
    anchor: isRatio ? "round-robin tok/s" : "round-robin",
    anchorValue: median(others),
    ratio: median(ratios),
    runs: isRatio ? ratios : own,
  }, values.json);
}

await printMachine();
const rounds: Round[] = [];
for (let round = 0; round < values.rounds; round++) {
  rounds.push(await runRound(values.seed + round));
}
for (const [at, { name: row }] of tested.entries()) {
  // The first row has the figures' own names.
  const of = at === 0 ? "agents" : `agents.${row}`;
  printBeside({ figure: `${of}.tokens_vs_rr`, key: "tokensPerSecond", row }, rounds);
  printBeside({ figure: `${of}.ttft_p50`, key: "ttftP50", row }, rounds);
  printBeside({ figure: `${of}.ttft_p95`, key: "ttftP95", row }, rounds);
  printBeside({ figure: `${of}.cached`, key: "cachedShare", row }, rounds);
}
