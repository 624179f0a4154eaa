import { fail, ok, xxh64 } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { flagOf, parseConfig, seededChance } from "@pixii/runtime";
import { queueRulesOf, routerSchema, rulesOf } from "@pixii/router";
import { agentTrace } from "./core/agent_trace.ts";
import { parseAzure } from "./core/azure_trace.ts";
import { evictionNames } from "./core/eviction_orders.ts";
import { mooncakeBlockTokens, parseMooncake } from "./core/mooncake_trace.ts";
import { lineHolds, lineOrders } from "./core/replay_job.ts";
import type { ReplayPlan } from "./core/replay_plan.ts";
import type { Trace } from "./core/replay_request.ts";
import { jittered, partOf } from "./core/trace_shape.ts";
import { replayPolicies, wordsOf } from "./replay_config.ts";
import type { ReplayConfig } from "./replay_config.ts";

/** Where traces are read. Answers undefined where there is no such file. */
export interface TraceFiles {
  read(path: string): Promise<string | undefined>;
}

/** The plan of a config, its trace read; or `invalid_request` in one sentence. */
export async function planOf(
  config: ReplayConfig,
  files: TraceFiles,
): Promise<Result<ReplayPlan>> {
  const lists = listsOf(config);
  if (!lists.ok) return lists;
  const rules = routerRules(config.set);
  if (!rules.ok) return rules;
  const draws = (name: string) => {
    const salt = xxh64(new TextEncoder().encode(name)).lo;
    const chance = seededChance((config.seed ^ salt) >>> 0);
    return () => chance.float();
  };
  const read = await traceOf(config, { files, draw: draws("trace") });
  if (!read.ok) return read;
  const part = partOf(read.value, config.part);
  if (part.requests.length === 0) {
    return fail("invalid_request", `Cannot replay ${part.name}: that part of it is empty`);
  }
  return ok({
    trace: jittered(part, config.jitter, draws("jitter")),
    ...lists.value,
    ...{ workers: config.workers, capacityBlocks: config["capacity-blocks"] },
    ...{
      service: config.service,
      maxSeqs: config["max-seqs"],
      busy: config.busy,
      rate: config.rate,
    },
    sloMs: config.slo === 0 ? undefined : config.slo,
    rules: rules.value.rules,
    queue: rules.value.queue,
    drawOf: draws,
  });
}

function listsOf(
  config: ReplayConfig,
): Result<Pick<ReplayPlan, "policies" | "orders" | "holds" | "evictions">> {
  const policies = wordsOf(config.policy, { flag: "--policy", known: replayPolicies });
  const orders = wordsOf(config.order, { flag: "--order", known: lineOrders });
  const holds = wordsOf(config.hold, { flag: "--hold", known: lineHolds });
  const evictions = wordsOf(config.eviction, { flag: "--eviction", known: evictionNames });
  for (const list of [policies, orders, holds, evictions]) {
    if ("problem" in list) return fail("invalid_request", list.problem);
  }
  if (
    !("words" in policies && "words" in orders && "words" in holds && "words" in evictions)
  ) {
    throw new Error("a list without problems has words");
  }
  return ok({
    ...{ policies: policies.words, orders: orders.words },
    ...{ holds: holds.words, evictions: evictions.words },
  });
}

/** The router's weights with `NAME=VALUE`s set. */
function routerRules(set: readonly string[]): Result<Pick<ReplayPlan, "rules" | "queue">> {
  const args: string[] = [];
  for (const one of set) {
    const [, path, value] = /^([a-z.-]+)=(.+)$/.exec(one) ?? [];
    if (path === undefined || !Object.hasOwn(routerSchema, path)) {
      return fail(
        "invalid_request",
        `Cannot use --set ${one}: it must be NAME=VALUE with an option of the router, like ttft.work-weight=2`,
      );
    }
    args.push(flagOf(path), value);
  }
  const parsed = parseConfig(routerSchema, { args, env: {} });
  if ("problems" in parsed) return fail("invalid_request", parsed.problems.join("; "));
  const { kv, ttft } = rulesOf(parsed.config, "00000000000000f1" as never);
  const unbounded = { maxRequests: 1e9, maxTokens: 1e15, tenantShare: 1, maxWaitMs: 1e12 };
  // A replay sheds nothing: what waits is answered late, and that is what is measured.
  const queue = { ...queueRulesOf(parsed.config), ...unbounded };
  return ok({ rules: { kv, ttft }, queue });
}

async function traceOf(
  config: ReplayConfig,
  parts: { readonly files: TraceFiles; readonly draw: () => number },
): Promise<Result<Trace>> {
  const { trace: path, synthetic, sessions } = config;
  const blockSize = config["block-size"];
  if ((path === "") === (synthetic === undefined)) {
    return fail("invalid_request", "Cannot replay: give either --trace FILE or --synthetic agents");
  }
  if (synthetic !== undefined) {
    return ok(agentTrace({ sessions, sessionRate: config["session-rate"], blockSize }, parts.draw));
  }
  const text = await parts.files.read(path);
  if (text === undefined) {
    return fail(
      "invalid_request",
      `Cannot read ${path}: there is no such file, or it may not be read`,
    );
  }
  const name = path.split("/").at(-1)!;
  if (text.trimStart().startsWith("{")) {
    if (blockSize !== mooncakeBlockTokens) {
      return fail(
        "invalid_request",
        `Cannot use --block-size ${blockSize}: the blocks of ${name} have ${mooncakeBlockTokens} tokens; leave it out`,
      );
    }
    return parseMooncake(name, text);
  }
  return parseAzure(name, text, blockSize);
}
