import { promptTokens } from "@pixii/cluster";
import { complete } from "./chat_client.ts";
import { startDev } from "./child.ts";
import type { LiveOutcome, LiveRequest } from "./planner_live_load.ts";

/** Longest wait for what still runs when the last request has come. */
const tailMs = 10_000;
/** How often the planner is asked what workers do. */
const lookEveryMs = 250;
/** Token ids below this are words in every vocabulary that is used here. */
const someTokens = 2_000;

/** One cluster with its load. */
export interface LiveTurn {
  /** Flags of `deno task dev`. */
  readonly flags: readonly string[];
  readonly requests: readonly LiveRequest[];
  /** Another text of the same lengths for every salt. */
  readonly salt: number;
}

/** What was seen. */
export interface LiveSeen {
  readonly outcomes: readonly LiveOutcome[];
  /** Roles of the workers whenever they became other ones, ms from the begin of the load. */
  readonly roles: readonly { readonly atMs: number; readonly text: string }[];
  /** Words of the planner's kept decisions: those that moved something, and those whose reason to stay was new. */
  readonly moves: readonly string[];
}

/** Starts a cluster, sends it the load at its times, and ends it. */
export async function runTurn({ flags, requests, salt }: LiveTurn): Promise<LiveSeen> {
  await using dev = await startDev(flags);
  // The first request loads the vocabulary.
  await ask(dev.url, { request: { atMs: 0, promptTokens: 8, outputTokens: 2 }, salt: salt + 9973 });
  const planner = dev.processes.find(({ service }) => service === "planner")!.admin;
  const startedMs = performance.now();
  const sinceMs = () => performance.now() - startedMs;
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
  const lastMs = Math.max(...requests.map(({ atMs }) => atMs));
  using end = new DisposableStack();
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), lastMs + tailMs);
  end.defer(() => clearTimeout(timer));
  const running = requests.map(async (request, index): Promise<LiveOutcome> => {
    await sleep(request.atMs - sinceMs());
    const own = salt + 31 * (index + 1);
    return await ask(dev.url, { request, salt: own, signal: stop.signal });
  });
  const roles: { atMs: number; text: string }[] = [];
  const all = Promise.all(running);
  let isOver = false;
  const over = all.then(() => isOver = true);
  while (!isOver) {
    const text = await rolesAt(planner);
    if (text !== undefined && text !== roles.at(-1)?.text) roles.push({ atMs: sinceMs(), text });
    await Promise.race([sleep(lookEveryMs), over]);
  }
  return { outcomes: await all, roles, moves: await movesOf(planner) };
}

async function ask(
  url: string,
  { request, salt, signal }: {
    readonly request: LiveRequest;
    readonly salt: number;
    readonly signal?: AbortSignal;
  },
): Promise<LiveOutcome> {
  const { atMs, promptTokens: count, outputTokens } = request;
  const prompt = [...promptTokens(someTokens, [{ count, salt }])];
  try {
    const seen = await complete(url, {
      ...{ model: "bench", prompt, max_tokens: outputTokens, temperature: 0, ignore_eos: true },
    }, { signal });
    if (seen.outputTokens !== outputTokens) {
      return { atMs, failure: `${seen.outputTokens} of ${outputTokens} tokens` };
    }
    const itlMs = (seen.totalMs - seen.ttftMs) / Math.max(1, outputTokens - 1);
    return { atMs, ttftMs: seen.ttftMs, itlMs };
  } catch (error) {
    // What this end cut off did not fail; it was not served either.
    return signal?.aborted ? { atMs } : { atMs, failure: (error as Error).message };
  }
}

/** Workers by role, as `2 prefill + 1 decode`. */
async function rolesAt(planner: string): Promise<string | undefined> {
  const { roles } = await (await fetch(`${planner}/plan`)).json();
  const { prefill, decode } = roles;
  // Reports of three workers come at other times: a moment with two is no other split.
  if (prefill.ranks + decode.ranks !== 3) return undefined;
  return `${prefill.ranks} prefill + ${decode.ranks} decode`;
}

async function movesOf(planner: string): Promise<string[]> {
  const { lines } = await (await fetch(`${planner}/plan/history`)).json();
  return lines.flatMap((line: Record<string, any>) => {
    if (line.kind === "flip") return [`${line.at} ${line.instance} is ${line.to}: ${line.state}`];
    if (line.kind !== "plan") return [];
    const { moves, bound, have, want } = line.record;
    const counts = ({ prefill, decode }: Record<string, number>) => `${prefill}+${decode}`;
    // What kept it from a move tells as much as a move.
    const why = moves.length > 0
      ? moves[0].reason
      : `${counts(have)}, wants ${counts(want)}: ${bound}`;
    return [`${line.at} ${line.mode}: ${why}`];
  });
}
