import { defaultTtftWeights } from "@pixii/router/core";
import type { QueueRules, RouterRules } from "@pixii/router/core";
import { denseTrace } from "./dense_trace.ts";
import { evictionOrder } from "./eviction_orders.ts";
import type { EvictionName } from "./eviction_orders.ts";
import { FleetReplay } from "./fleet_replay.ts";
import type { FleetResult, ReplayPolicy } from "./fleet_replay.ts";
import { idealTtft } from "./ideal_line.ts";
import { pooledHits } from "./pooled_cache.ts";
import type { LineHold, LineOrder } from "./replay_job.ts";
import type { Trace } from "./replay_request.ts";
import { profileOf, workerOf } from "./replay_service.ts";
import type { ReplayService } from "./replay_service.ts";
import type { DurationSummary } from "./tally.ts";
import { inputTokens, spanMs } from "./trace_shape.ts";

/** What is replayed, and how. */
export interface ReplayPlan {
  readonly trace: Trace;
  readonly policies: readonly ReplayPolicy[];
  readonly orders: readonly LineOrder[];
  readonly holds: readonly LineHold[];
  readonly evictions: readonly EvictionName[];
  readonly workers: number;
  readonly capacityBlocks: number;
  readonly service: ReplayService;
  readonly maxSeqs: number;
  readonly busy: number;
  readonly rate: number;
  /** Undefined: no search for the highest rate. */
  readonly sloMs: number | undefined;
  readonly rules: Pick<RouterRules, "kv" | "ttft">;
  /** How requests wait at the router, in every row that holds them. */
  readonly queue: QueueRules;
  /** Numbers in [0, 1) from a stream of their own per name: one policy's luck is not another's. */
  drawOf(name: string): () => number;
}

/** What tells rows apart. */
interface RowKind {
  readonly policy: ReplayPolicy;
  readonly order: LineOrder;
  readonly hold: LineHold;
}

/** One policy under one order and hold. */
export interface ReplayRow extends FleetResult, RowKind {
  /** Hit ratio against the pooled cache's, 1 where that finds nothing. */
  readonly ofPooled: number;
  /** Highest rate at the SLO; undefined where it was not looked for. */
  readonly rateAtSlo: number | undefined;
}

/** What a plan came to. */
export interface ReplayReport {
  readonly plan: ReplayPlan;
  /** Prompt tokens per second of each worker. */
  readonly workerRate: number;
  /** Hit ratio of one least-recently-used cache of all workers' blocks. */
  readonly pooledHitRatio: number;
  /** What no routing with these caches and first come, first served can be expected to beat; service `prefill` only. */
  readonly idealTtft: DurationSummary | undefined;
  readonly rows: readonly ReplayRow[];
  readonly evictions: readonly { readonly name: EvictionName; readonly hitRatio: number }[];
  /** Requests that were replayed in all. */
  readonly replayed: number;
}

/** Steps of the search for the highest rate: it is found to 1/500 of the span that is searched. */
const searchSteps = 9;
const searchSpan = { least: 0.1, most: 8 } as const;

/** Runs a plan. The same plan gives the same report, bit for bit. */
export function runPlan(plan: ReplayPlan): ReplayReport {
  const { trace, workers, capacityBlocks, busy } = plan;
  const tokenMs = busy * workers * spanMs(trace) / inputTokens(trace);
  const dense = denseTrace(trace);
  const pooledOf = (name: EvictionName) =>
    pooledHits(dense, workers * capacityBlocks, (view) => evictionOrder(name, view));
  const pooled = pooledOf("lru");
  const pooledHitRatio = pooled.hitRatio;
  const rows: ReplayRow[] = [];
  const count = { replays: 0 };
  const run = (kind: RowKind, rate: number) => {
    count.replays += 1;
    return replayOnce(plan, { ...kind, rate, tokenMs });
  };
  for (const kind of kindsOf(plan)) {
    const result = run(kind, plan.rate);
    const ofPooled = pooledHitRatio === 0 ? 1 : result.hitRatio / pooledHitRatio;
    const { sloMs } = plan;
    const rateAtSlo = sloMs === undefined
      ? undefined
      : highestRate((rate) => run(kind, rate).ttft.p99Ms <= sloMs);
    rows.push({ ...result, ...kind, ofPooled, rateAtSlo });
  }
  return {
    ...{ plan, workerRate: 1000 / tokenMs, pooledHitRatio, rows },
    idealTtft: plan.service === "prefill"
      ? idealTtft(dense, { hits: pooled.hits, workers, tokenMs, rate: plan.rate })
      : undefined,
    evictions: plan.evictions.map((name) => ({
      ...{ name, hitRatio: pooledOf(name).hitRatio },
    })),
    replayed: count.replays * trace.requests.length,
  };
}

/** Every policy under every order and hold. */
function kindsOf({ orders, holds, policies }: ReplayPlan): RowKind[] {
  return orders.flatMap((order) =>
    holds.flatMap((hold) => policies.map((policy) => ({ policy, order, hold })))
  );
}

/** A rank that has so much to compute gets no more while requests are held, where `queue` has no bound of its own. */
const heldPrefillMs = 250;
/** Milliseconds that a request counts as having come later per millisecond of its work, in holds `shortest` and `gathered`. */
const heldWorkWeight = 3;
/** Requests that come within so long of the first of them are chosen from together in hold `gathered`. */
const gatherMs = 5;

/** How requests wait at the router under a hold; nothing where they do not. */
function queueOf(queue: QueueRules, hold: LineHold): QueueRules | undefined {
  if (hold === "off") return undefined;
  const { busy } = queue;
  const isBound = busy.prefillTokens > 0 || busy.blocks > 0 || (busy.prefillMs ?? 0) > 0;
  const held = isBound ? queue : { ...queue, busy: { ...busy, prefillMs: heldPrefillMs } };
  if (hold === "room") return held;
  const workWeight = hold === "best" ? 0 : queue.workWeight || heldWorkWeight;
  const gathered = hold === "gathered" ? queue.gatherMs || gatherMs : 0;
  return { ...held, waitForBest: true, workWeight, gatherMs: gathered };
}

/** One replay of one policy. Throws where anybody's books do not add up at its end. */
export function replayOnce(
  plan: ReplayPlan,
  one: RowKind & { readonly rate: number; readonly tokenMs: number },
): FleetResult {
  const { trace, workers, capacityBlocks, maxSeqs, rules, service } = plan;
  const { policy, order, hold, rate, tokenMs } = one;
  const { blockSize } = trace;
  const ttft = rules.ttft ?? defaultTtftWeights;
  const isBlind = policy === "least-queue";
  const parts = { service, capacityBlocks, blockSize, maxSeqs, order, tokenMs };
  const replay = new FleetReplay({
    ...{ trace, policy, workers, capacityBlocks, maxSeqs, rate },
    queue: queueOf(plan.queue, hold),
    draw: plan.drawOf(policy),
    profile: profileOf(parts),
    rules: {
      ...{
        kv: rules.kv,
        ttft: isBlind ? { ...ttft, workWeight: 0, spreadWeight: 0 } : ttft,
        hungStepMs: 1e9,
      },
      ...{
        sessionTtlMs: 600_000,
        indexBytes: 2 ** 24 + 64 * workers * capacityBlocks,
        keptDecisions: 0,
      },
    },
    worker: (sink) => workerOf(parts, sink),
  });
  const result = replay.run();
  replay.checkIntegrity();
  return result;
}

/** The highest rate that holds, by halving; the least of the span where none does. */
function highestRate(holds: (rate: number) => boolean): number {
  let { least, most }: { least: number; most: number } = searchSpan;
  // Rates are compared by their ratio, so the search halves in logarithms.
  for (let step = 0; step < searchSteps; step++) {
    const middle = Math.sqrt(least * most);
    if (holds(middle)) least = middle;
    else most = middle;
  }
  return least;
}
