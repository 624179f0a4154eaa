import { keys } from "@pixii/wire";
import type { KvEvent } from "@pixii/wire";
import type { RouterInside } from "@pixii/router";
import type { SimEngine } from "@pixii/workers/sim";
import type { SimCluster } from "./sim_cluster.ts";

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
  const [instances, models] = [
    await registry.list(names.instances),
    await registry.list(names.models),
  ];
  if (!instances.ok || !models.ok) return ["the registry does not answer"];
  const known = programs.map(({ life }) => life?.running?.instance ?? "");
  const problems = [...instances.value, ...models.value]
    .filter(({ key }) => !known.some((one) => key.endsWith(one)))
    .map(({ key }) => `${key} is in the registry, and nobody is there`);
  const cards = models.value.length;
  const workers = programs.filter(({ name }) => name.startsWith("worker")).length;
  if (cards !== workers) problems.push(`${cards} model cards of ${workers} workers`);
  return problems;
}

/** Every block that a router counts for a rank is there; and where it says that it knows all, it does. */
async function indexProblems(cluster: SimCluster): Promise<string[]> {
  const truth = new Map<string, ReadonlySet<string>>();
  for (const { name, life } of cluster.programs) {
    for (const [dpRank, engine] of (cluster.engines(name) ?? []).entries()) {
      truth.set(`${life!.running!.instance}.${dpRank}`, await blocksOf(engine));
    }
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
      const wrong = [...known].filter((hash) => !held.has(hash)).length;
      if (wrong > 0) problems.push(`${name} counts ${wrong} blocks at ${owner} that are not there`);
      const isWhole = stream.state === "exact" && streams!.budget.evictedBlocks === 0;
      if (isWhole && known.size < held.size) {
        problems.push(`${name} knows ${known.size} of ${held.size} blocks at ${owner}`);
      }
      if (stream.state === "behind") problems.push(`${name} is behind with ${owner}`);
    }
  }
  return problems;
}

async function blocksOf(engine: SimEngine): Promise<ReadonlySet<string>> {
  return hashesOf((await engine.snapshot()).kvEvents);
}

function hashesOf(events: Iterable<KvEvent>): Set<string> {
  const hashes = new Set<string>();
  for (const event of events) {
    if (event.op !== "stored") continue;
    for (let i = 0; i < event.hi.length; i++) hashes.add(`${event.hi[i]}.${event.lo[i]}`);
  }
  return hashes;
}
