import { seededChance } from "@pixii/runtime";
import type {
  CarriedMessage,
  Chance,
  MemoryBus,
  MemoryNetwork,
  VirtualClock,
} from "@pixii/runtime";
import type { Fault } from "./core/fault.ts";
import { mixSeed } from "./core/mix_seed.ts";
import type { ProgramClock } from "./program_clock.ts";
import type { SimLog } from "./sim_log.ts";

/** Way of a message through a healthy network, in ms: this long at least, and a mean of this much more. */
const leastMs = 0.15;
const meanJitterMs = 0.05;

/** Second copies come up to so much after the first. */
const lateCopyMs = 300;

/** The end of a link: what the network must know of a program. */
export interface Station {
  readonly name: string;
  readonly clock: ProgramClock;
}

interface Link {
  readonly id: number;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly chance: Chance;
  /** When the last message arrives: links keep their order. */
  lastMs: number;
}

/**
 * The network between the programs of a run: every message of every link has a delay of its own, and faults in force at
 * its ends make it late, lost or doubled. Chance is drawn per link, so one link's traffic does not move another's. Order
 * is kept on each link, as a connection keeps it, but for second copies.
 */
export class SimNetwork implements MemoryNetwork {
  readonly #clock: VirtualClock;
  readonly #log: SimLog;
  readonly #seed: number;
  readonly #stations = new Map<MemoryBus, Station>();
  readonly #links = new Map<Station, Map<Station, Link>>();
  readonly #faults = new Set<Fault>();
  #made = 0;

  constructor(
    parts: { readonly clock: VirtualClock; readonly log: SimLog; readonly seed: number },
  ) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#seed = parts.seed;
  }

  /** A program's connection is at this end. */
  join(bus: MemoryBus, station: Station): void {
    this.#stations.set(bus, station);
  }

  /** It will not be used again. */
  leave(bus: MemoryBus): void {
    const station = this.#stations.get(bus);
    if (station === undefined) return;
    this.#stations.delete(bus);
    this.#links.delete(station);
    for (const links of this.#links.values()) links.delete(station);
  }

  /** A fault is in force from now on. */
  begin(fault: Fault): void {
    this.#faults.add(fault);
  }

  /** It is over. */
  end(fault: Fault): void {
    this.#faults.delete(fault);
  }

  carry({ from, to, subject, payload }: CarriedMessage, arrive: () => void): void {
    const [source, target] = [this.#stations.get(from), this.#stations.get(to)];
    // One of them is dead.
    if (source === undefined || target === undefined) return;
    const link = this.#link(source, target);
    const { chance } = link;
    let waitMs = leastMs - Math.log(1 - chance.float()) * meanJitterMs;
    let copies = 1;
    for (const { kind, target: hit, amount } of this.#faults) {
      if (hit !== link.from && hit !== link.to) continue;
      if (kind === "partition") copies = 0;
      else if (kind === "lag") waitMs += amount * (0.5 + chance.float());
      else if (kind === "drop" && chance.float() < amount) copies = 0;
      else if (kind === "duplicate" && chance.float() < amount) copies *= 2;
    }
    if (copies === 0) return this.#log.message(link, subject, payload, undefined);
    const nowMs = this.#clock.nowMs();
    const firstMs = link.lastMs = Math.max(link.lastMs, nowMs + waitMs);
    for (let copy = 0; copy < copies; copy++) {
      // The first copy keeps its place; others may come after what was sent later.
      const dueMs = copy === 0 ? firstMs : firstMs + lateCopyMs * chance.float() ** 3;
      this.#log.message(link, subject, payload, dueMs - nowMs);
      this.#clock.timer(dueMs - nowMs, () => target.clock.run(arrive));
    }
  }

  #link(from: Station, to: Station): Link {
    let links = this.#links.get(from);
    if (links === undefined) this.#links.set(from, links = new Map());
    let link = links.get(to);
    if (link === undefined) {
      const name = `${from.name}>${to.name}`;
      link = {
        ...{ id: ++this.#made, name, from: from.name, to: to.name, lastMs: 0 },
        chance: seededChance(mixSeed(this.#seed, name)),
      };
      links.set(to, link);
    }
    return link;
  }
}
