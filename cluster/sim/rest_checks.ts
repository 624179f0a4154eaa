import { keys } from "@pixii/wire";
import type { KvEvent } from "@pixii/wire";
import type { RouterInside } from "@pixii/router";
import type { SimEngine } from "@pixii/workers/sim";
import { heldProblems } from "./host_tier.ts";
import type { TierBooks } from "./host_tier.ts";
import type { SimCluster } from "./sim_cluster.ts";
import { simModelHash } from "./sim_shape.ts";

/** Most problems that one look names. */
const mostNamed = 6;

/**
 * What must hold some time after the last request and the last fault: nothing is booked, queued, running or leased to
 * nobody any more, and every router's index says what the workers hold. Answers what does not hold yet.
 */
export async function restProblems(cluster: SimCluster): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { name, life } of cluster.programs) {
    if (life?.running === undefined) problems.push(`${name} is not up`);
    const inside = cluster.router(name);
    if (inside !== undefined) problems.push(...booksOf(name, inside));
    for (const engine of cluster.engines(name) ?? []) {
      const { running, waiting, activeBlocks } = engine.load();
      if (running + waiting + activeBlocks > 0) {
        problems.push(`${name} has ${running} running, ${waiting} waiting, ${activeBlocks} blocks`);
      }
    }
  }
  for (const { name, inside } of cluster.frontends()) {
    const { live } = inside.generator;
    if (live > 0) problems.push(`${name} has ${live} live streams`);
  }
  if (cluster.tier !== undefined) {
    const workers = cluster.programs.filter(({ name }) => cluster.engines(name) !== undefined);
    const instances = workers.map(({ life }) => life!.running!.instance);
    problems.push(...heldProblems(cluster.tier, instances));
  }
  problems.push(...await leaseProblems(cluster), ...await indexProblems(cluster));
  return problems.slice(0, mostNamed);
}

function booksOf(name: string, { state, desk }: RouterInside): string[] {
  const problems: string[] = [];
  const { size, unconfirmed } = state.ledger;
  if (size > 0) problems.push(`${name} has ${size} bookings, ${unconfirmed} of them unconfirmed`);
  if (desk.size > 0) problems.push(`${name} has ${desk.size} requests in its queue`);
  for (const model of state.fleet.models.values()) {
    for (const { key, load, report } of model.ranks) {
      const { prefillTokens, blocks, other } = load;
      if (prefillTokens + blocks + other.requests > 0) {
        const what = `${prefillTokens} prompt tokens, ${blocks} blocks, ${other.requests} others`;
        problems.push(`${name} still counts ${what} at ${key}`);
      }
      if ((report?.activeStreams ?? 0) > 0) {
        problems.push(`${key} reports ${report!.activeStreams} live streams`);
      }
    }
  }
  return problems;
}

/** The registry names exactly the programs that run. */
async function leaseProblems({ registry, programs }: SimCluster): Promise<string[]> {
  const names = keys("default");
  const [instances, models, kvbms] = [
    await registry.list(names.instances),
    await registry.list(names.models),
    await registry.list(names.kvbms),
  ];
  if (!instances.ok || !models.ok || !kvbms.ok) return ["the registry does not answer"];
  const known = programs.map(({ life }) => life?.running?.instance ?? "");
  const problems = [...instances.value, ...models.value, ...kvbms.value]
    .filter(({ key }) => !known.some((one) => key.endsWith(one)))
    .map(({ key }) => `${key} is in the registry, and nobody is there`);
  const cards = models.value.length;
  const workers = programs.filter(({ name }) => name.startsWith("worker")).length;
  if (cards !== workers) problems.push(`${cards} model cards of ${workers} workers`);
  return problems;
}

/** Every block that a router counts for a rank is there; and where it says that it knows all, it does. */
async function indexProblems(cluster: SimCluster): Promise<string[]> {
  const truth = new Map(await truthOf(cluster, () => true));
  const { tier } = cluster;
  if (tier !== undefined) {
    truth.set(`${tier.instance}.0`, tierBlocks(tier));
  }
  const problems: string[] = [];
  for (const { name } of cluster.programs) {
    const streams = cluster.router(name)?.state.streams;
    for (const { stream, index, slot } of streams?.all() ?? []) {
      const { owner, dpRank } = stream.source;
      const held = truth.get(`${owner}.${dpRank}`);
      if (held === undefined) {
        problems.push(`${name} still follows ${owner}, which is gone`);
        continue;
      }
      const known = hashesOf(index.snapshot(slot));
      const isWhole = stream.state === "exact" && streams!.budget.evictedBlocks === 0;
      problems.push(...difference(known, held, { who: name, owner, isWhole }));
      if (stream.state === "behind") problems.push(`${name} is behind with ${owner}`);
    }
  }
  return problems;
}

/**
 * What holds at any time, whatever is wrong: a router that has applied all that a resting worker, or the block manager,
 * ever told knows what that holds. Answers where it does not.
 */
export async function exactProblems(cluster: SimCluster): Promise<readonly string[]> {
  const isIdle = (engine: SimEngine) => {
    const { running, waiting } = engine.load();
    return running + waiting === 0;
  };
  const truth = await truthOf(cluster, isIdle);
  const problems: string[] = [];
  for (const { name } of cluster.programs) {
    const inside = cluster.router(name);
    if (inside === undefined) continue;
    const { streams, fleet } = inside.state;
    const ranks = Array.from(fleet.models.values(), (model) => [...model.ranks]).flat();
    for (const { worker: { instance, dpRank }, report, sources } of ranks) {
      const held = truth.get(`${instance}.${dpRank}`);
      const opened = streams.get(sources[0]);
      if (held === undefined || opened === undefined) continue;
      const { stream, index, slot } = opened;
      const isTold = report?.stepCount === steps(cluster, instance, dpRank) &&
        report?.kvEventNumber === stream.number && stream.epoch === instance;
      if (!isTold || stream.state !== "exact" || streams.budget.evictedBlocks > 0) continue;
      const known = hashesOf(index.snapshot(slot));
      problems.push(...difference(known, held, { who: name, owner: instance, isWhole: true }));
    }
    problems.push(...tierProblems(cluster, name, inside));
  }
  return problems;
}

/** As `exactProblems`, for the host tier: its number is its word that this is all. */
function tierProblems({ tier }: SimCluster, who: string, { state }: RouterInside): string[] {
  const number = tier?.streams.numberOf(simModelHash);
  if (tier === undefined || number === undefined || state.streams.budget.evictedBlocks > 0) {
    return [];
  }
  for (const { stream, index, slot } of state.streams.all()) {
    const { source: { owner }, state: how, epoch, number: known } = stream;
    const isTold = owner === tier.instance && epoch === owner && known === number;
    if (!isTold || how !== "exact") continue;
    const held = tierBlocks(tier);
    return difference(hashesOf(index.snapshot(slot)), held, { who, owner, isWhole: true });
  }
  return [];
}

function tierBlocks({ pool }: TierBooks): ReadonlySet<number> {
  return hashesOf(pool.layouts.flatMap((_, at) => pool.snapshot(at)));
}

function difference(
  known: ReadonlySet<number>,
  held: ReadonlySet<number>,
  { who, owner, isWhole }: {
    readonly who: string;
    readonly owner: string;
    readonly isWhole: boolean;
  },
): string[] {
  let wrong = 0;
  for (const hash of known) if (!held.has(hash)) wrong += 1;
  if (wrong > 0) return [`${who} counts ${wrong} blocks at ${owner} that are not there`];
  if (!isWhole || known.size >= held.size) return [];
  return [`${who} knows ${known.size} of ${held.size} blocks at ${owner}`];
}

/** Steps that a rank has made. */
function steps(cluster: SimCluster, instance: string, dpRank: number): number | undefined {
  const program = cluster.programs.find(({ life }) => life?.running?.instance === instance);
  const engine = program && cluster.engines(program.name)?.[dpRank];
  return engine?.load().stepCount;
}

/** What the chosen engines hold, by instance and rank. */
async function truthOf(
  cluster: SimCluster,
  isChosen: (engine: SimEngine) => boolean,
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const truth = new Map<string, ReadonlySet<number>>();
  for (const { name, life } of cluster.programs) {
    for (const [dpRank, engine] of (cluster.engines(name) ?? []).entries()) {
      if (!isChosen(engine)) continue;
      truth.set(`${life!.running!.instance}.${dpRank}`, await blocksOf(engine));
    }
  }
  return truth;
}

async function blocksOf(engine: SimEngine): Promise<ReadonlySet<number>> {
  const taken = await engine.snapshot();
  // An engine that was shut down meanwhile holds nothing.
  return hashesOf(taken.ok ? taken.value.kvEvents : []);
}

/** Most of each hash, as a number that is cheap to compare: two that look alike are as good as never met. */
function hashesOf(events: Iterable<KvEvent>): Set<number> {
  const hashes = new Set<number>();
  for (const event of events) {
    if (event.op !== "stored") continue;
    const { hi, lo } = event;
    for (let i = 0; i < hi.length; i++) hashes.add(hi[i] * 2 ** 20 + (lo[i] >>> 12));
  }
  return hashes;
}
