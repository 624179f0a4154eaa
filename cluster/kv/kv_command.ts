import { fail, modelHashOf, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { KvVerified } from "@pixii/kvbm";
import { renderHelp, wantsHelp } from "@pixii/runtime";
import { kvSchema, parseKv } from "./kv_config.ts";
import type { KvAsk } from "./kv_config.ts";
import { lsLines, statLines, verifyLines } from "./kv_words.ts";
import type { KvFacts } from "./kv_words.ts";
import { findKvbms } from "./kvbm_source.ts";
import type { FoundKvbms, KvbmSourceIo } from "./kvbm_source.ts";

/** Longest wait for an answer that needs no block read. */
const answerMs = 10_000;
/** Exit codes: done, failed or something damaged, bad usage, no kvbm. */
const codes = { done: 0, failed: 1, usage: 2, missing: 3 } as const;

/** What `deno task kv` touches. */
export interface KvIo extends KvbmSourceIo {
  readonly env: Readonly<Record<string, string>>;
  /** A line for people or a program, to stdout. */
  readonly say: (line: string) => void;
  /** A line about a problem, to stderr. */
  readonly warn: (line: string) => void;
}

/** Runs one command and answers the exit code: 0 done, 1 failed or damage found, 2 bad usage, 3 no kvbm. */
export async function runKv(args: readonly string[], io: KvIo): Promise<number> {
  if (wantsHelp(args)) {
    io.say(help());
    return codes.done;
  }
  const ask = parseKv(args, io.env);
  if ("problems" in ask) {
    for (const problem of ask.problems) io.warn(problem);
    return codes.usage;
  }
  const found = await findKvbms(ask.config, io);
  if (!found.ok) {
    io.warn(found.error.message);
    return found.error.code === "invalid_request" ? codes.usage : codes.missing;
  }
  let code: number = codes.done;
  for (const admin of found.value.admins) {
    const done = await runAt(admin, ask, { ...found.value, io });
    if (!done.ok) io.warn(done.error.message);
    code = Math.max(code, done.ok ? done.value : codes.failed);
  }
  return code;
}

function help(): string {
  return [
    renderHelp(kvSchema, "deno task kv", "the KV blocks that a host keeps below its workers"),
    "",
    "  deno task kv ls --ready-file PATH       blocks and bytes, per model and layout",
    "  deno task kv stat --admin URL           sizes, hits, evictions, speed and queue of each tier",
    "  deno task kv verify --etcd URL          reads every block and checks it; damaged ones are dropped",
    "  deno task kv drop MODEL | --all         drops blocks from memory and disk",
    "",
    "Exit codes: 0 done, 1 failed or damage found, 2 bad usage, 3 no kvbm.",
  ].join("\n");
}

async function runAt(
  admin: string,
  { action, model, config }: KvAsk,
  { names, admins, io }: FoundKvbms & { readonly io: KvIo },
): Promise<Result<number>> {
  const answer = await answerOf(admin, { action, model }, io);
  if (!answer.ok) return answer;
  if (config.json) io.say(JSON.stringify({ kvbm: admin, ...answer.value }));
  else {
    if (admins.length > 1) io.say(admin);
    for (const line of linesOf(action, answer.value, names)) io.say(line);
  }
  if (action !== "verify") return ok(codes.done);
  const tiers = Object.values(answer.value as Record<string, KvVerified>);
  const isWhole = tiers.every(({ damaged = 0, unreadable = 0 }) => damaged + unreadable === 0);
  return ok(isWhole ? codes.done : codes.failed);
}

function linesOf(
  action: KvAsk["action"],
  answer: object,
  names: ReadonlyMap<string, string>,
): string[] {
  if (action === "ls") return lsLines(answer as KvFacts, names);
  if (action === "stat") return statLines(answer as KvFacts);
  if ("off" in answer) return ["no tiers: the host tier is off (--kv-host)"];
  if (action === "verify") return verifyLines(answer as Record<string, KvVerified>);
  const { host, disk } = answer as { host: number; disk: number };
  return [`dropped ${host} blocks from memory, ${disk} from disk`];
}

async function answerOf(
  admin: string,
  { action, model }: Pick<KvAsk, "action" | "model">,
  { clock, signal }: KvIo,
): Promise<Result<object>> {
  const isRead = action === "ls" || action === "stat";
  const what = model === undefined ? "all=1" : `model=${modelHashOf(model)}`;
  const path = isRead ? "/kv" : action === "drop" ? `/kv/drop?${what}` : "/kv/verify";
  using deadline = clock.deadline(answerMs);
  try {
    const answer = await fetch(`${admin}${path}`, {
      method: isRead ? "GET" : "POST",
      headers: { "content-type": "application/json" },
      // Reading every block of a large disk takes as long as it takes.
      signal: isRead ? AbortSignal.any([deadline.signal, signal]) : signal,
    });
    const body = await answer.json();
    if (answer.ok) return ok(body);
    return fail("internal", `The kvbm at ${admin} says: ${body?.error?.message ?? answer.status}`);
  } catch (error) {
    const why = deadline.signal.aborted && isRead
      ? `no answer in ${answerMs} ms`
      : (error as Error).message;
    return fail("internal", `Cannot ask the kvbm at ${admin}: ${why}`);
  }
}
