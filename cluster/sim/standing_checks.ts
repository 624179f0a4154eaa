import type { SimCluster } from "./sim_cluster.ts";

/** Between two full looks into all books. */
export const stepsPerIntegrity = 1_000;

/** Between two looks at whether programs keep to what their clients ask for. */
const stepsPerCalmLook = 100;

/** What a look after a step needs. */
export interface StandingParts {
  readonly cluster: SimCluster;
  /** Streams that a frontend's clients wait for. */
  readonly liveAt: (frontend: string) => number;
  /** Most requests that wait in a router, most places and waiting places of a rank. */
  readonly mostQueued: number;
  readonly mostAtRank: number;
  /** Streams that somebody waits for or that ended within moments; undefined while a fault may excuse more. */
  readonly mostStreams: () => number | undefined;
  /** Most bookings of a stream: one, or one more where prompts are computed elsewhere. */
  readonly legs: 1 | 2;
  /** What else is looked at now and then. */
  readonly lookNow?: () => void;
  broken(message: string): void;
}

/**
 * What holds at every moment. After each step one program is looked at, in turn, at a cost that does not grow with what
 * it holds; every `stepsPerIntegrity` steps every book of every core is added up.
 */
export class StandingChecks {
  readonly #parts: StandingParts;
  #steps = 0;
  #turn = 0;

  constructor(parts: StandingParts) {
    this.#parts = parts;
  }

  /** Steps so far. */
  get steps(): number {
    return this.#steps;
  }

  /** A step was made. */
  step(): void {
    const { programs } = this.#parts.cluster;
    this.#turn = (this.#turn + 1) % programs.length;
    this.#look(programs[this.#turn].name);
    this.#steps += 1;
    if (this.#steps % stepsPerCalmLook === 0) this.#lookCalmly();
    if (this.#steps % stepsPerIntegrity === 0) this.integrity();
  }

  /** Adds up every book. */
  integrity(): void {
    const { cluster, broken } = this.#parts;
    for (const { name } of cluster.programs) {
      try {
        cluster.router(name)?.state.checkIntegrity();
        for (const engine of cluster.engines(name) ?? []) engine.checkIntegrity();
        if (name.startsWith("kvbm")) cluster.tier?.pool.checkIntegrity();
      } catch (error) {
        broken(`the books of ${name} do not add up: ${(error as Error).message}`);
      }
    }
  }

  /** With nothing wrong, what has ended is released at once: by routers and by engines. */
  #lookCalmly(): void {
    const { cluster, mostStreams, legs, lookNow, broken } = this.#parts;
    lookNow?.();
    for (const { name } of cluster.programs) {
      for (const engine of cluster.engines(name) ?? []) {
        const key = engine.twice();
        if (key !== undefined) broken(`${name} runs stream ${key} twice`);
      }
    }
    const most = mostStreams();
    if (most === undefined) return;
    for (const { name } of cluster.programs) {
      const booked = cluster.router(name)?.state.ledger.size ?? 0;
      if (booked > legs * most) {
        broken(`${name} has ${booked} bookings of ${most} streams, and all is well`);
      }
      let atEngines = 0;
      for (const engine of cluster.engines(name) ?? []) {
        const { running, waiting } = engine.load();
        atEngines += running + waiting;
      }
      if (atEngines > most) broken(`${name} runs ${atEngines} of ${most} streams, and all is well`);
    }
  }

  #look(name: string): void {
    const { cluster, liveAt, mostQueued, mostAtRank, broken } = this.#parts;
    if (name.startsWith("frontend")) {
      const live = cluster.frontend(name)?.generator.live ?? liveAt(name);
      if (live !== liveAt(name)) {
        broken(`${name} counts ${live} live streams, its clients wait for ${liveAt(name)}`);
      }
    } else if (name.startsWith("router")) {
      const inside = cluster.router(name);
      if (inside === undefined) return;
      if (inside.desk.size > mostQueued) broken(`${name} lets ${inside.desk.size} requests wait`);
      const { usedBytes, capacityBytes } = inside.state.streams.budget;
      if (usedBytes > capacityBytes) {
        broken(`the index of ${name} takes ${usedBytes} of ${capacityBytes} bytes`);
      }
    } else {
      for (const engine of cluster.engines(name) ?? []) {
        const { running, waiting, activeBlocks, cachedBlocks, totalBlocks } = engine.load();
        if (running + waiting > mostAtRank) broken(`${name} took ${running + waiting} streams`);
        if (activeBlocks + cachedBlocks > totalBlocks) {
          broken(`${name} holds ${activeBlocks + cachedBlocks} of ${totalBlocks} blocks`);
        }
      }
    }
  }
}
