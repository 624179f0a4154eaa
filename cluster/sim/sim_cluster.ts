import { MemoryHub, MemoryRegistryHub, parseConfig, startService } from "@pixii/runtime";
import type { Registry, ServiceHost, ServiceSpec, VirtualClock } from "@pixii/runtime";
import type { ServiceSchema } from "@pixii/runtime";
import type { commonOptions } from "@pixii/runtime";
import { plannerSpec } from "@pixii/planner";
import { routerInside, routerSpec } from "@pixii/router";
import type { RouterInside } from "@pixii/router";
import { simWorkerSpec } from "@pixii/workers";
import type { SimEngine, SimVocabulary } from "@pixii/workers/sim";
import { frontendProgram } from "./frontend_program.ts";
import type { FrontendInside } from "./frontend_program.ts";
import { kvbmProgram, RankTier } from "./host_tier.ts";
import type { TierBooks } from "./host_tier.ts";
import type { SimLog } from "./sim_log.ts";
import { SimNetwork } from "./sim_network.ts";
import { SimProgram } from "./sim_program.ts";
import type { SimGround } from "./sim_program.ts";
import { simBlockSize, simModel } from "./sim_shape.ts";
import type { SimShape } from "./sim_shape.ts";

/** Longest drain of a program that is told to stop. */
export const drainMs = 5_000;

/** A block manager hears so long after a worker's death that it is gone. */
const noticedMs = 1;

/** What a cluster is built with. */
export interface ClusterParts {
  readonly shape: SimShape;
  readonly clock: VirtualClock;
  readonly log: SimLog;
  readonly vocabulary: SimVocabulary;
  /** A program did what none may do. */
  broken(message: string): void;
  /** A frontend is gone, with the connections of its clients. */
  onFrontendGone(name: string): void;
}

/** The programs of a simulated cluster on one bus and one registry, and what is inside them. */
export class SimCluster {
  readonly network: SimNetwork;
  readonly programs: readonly SimProgram[];
  /** Somebody beside the programs who looks into the registry. */
  readonly registry: Registry;
  readonly #ground: SimGround;
  readonly #parts: ClusterParts;
  readonly #frontends = new Map<string, FrontendInside>();
  /** Each worker's sides of the host tier, one per rank. */
  readonly #tiers = new Map<string, readonly RankTier[]>();
  #books: TierBooks | undefined;
  #pastHits = 0;
  readonly #engines = new Map<string, readonly SimEngine[]>();

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    const { clock, log, shape } = parts;
    const network = this.network = new SimNetwork({ clock, log, seed: shape.seed });
    const hubLog = log.of("bus", () => true, (line) => parts.broken(`error logged: ${line}`));
    const hub = new MemoryHub({ clock, log: hubLog, network });
    const registries = new MemoryRegistryHub({ clock, log: hubLog });
    this.registry = registries.connect();
    this.#ground = {
      ...{ clock, hub, registries, network, log, seed: shape.seed },
      broken: (message) => parts.broken(message),
    };
    const { args } = shape;
    this.programs = [
      ...this.#many("planner", shape.planners, () => opener(plannerSpec, args.planner)),
      ...this.#many("router", shape.routers, () => opener(routerSpec, args.router)),
      ...this.#many("kvbm", shape.hostBlocks > 0 ? 1 : 0, () => this.#kvbm(shape.hostBlocks)),
      ...this.#many("worker", shape.roles.length, (name, at) => this.#worker(name, at)),
      ...this.#many("frontend", shape.frontends, (name) => this.#frontend(name)),
    ];
  }

  /** The program of this name. */
  program(name: string): SimProgram {
    return this.programs.find((one) => one.name === name)!;
  }

  /** Frontends that are up, with what is inside. */
  frontends(): readonly { readonly name: string; readonly inside: FrontendInside }[] {
    return this.#up("frontend").map(({ name }) => ({ name, inside: this.#frontends.get(name)! }));
  }

  /** The inside of a frontend that is up. */
  frontend(name: string): FrontendInside | undefined {
    return this.program(name).isUp ? this.#frontends.get(name) : undefined;
  }

  /** The core of a router that is up. */
  router(name: string): RouterInside | undefined {
    const { life } = this.program(name);
    return life?.running === undefined ? undefined : routerInside(life.running.service);
  }

  /** The engines of a worker that is up, one per rank. */
  engines(name: string): readonly SimEngine[] | undefined {
    return this.program(name).isUp ? this.#engines.get(name) : undefined;
  }

  /** The books of the host tier, where a block manager is alive. */
  get tier(): TierBooks | undefined {
    return this.#books;
  }

  /** Blocks that the host tier gave back to workers, in all its lives. */
  get tierHits(): number {
    return this.#pastHits + (this.#books?.pool.counts.hits ?? 0);
  }

  #up(service: string): readonly SimProgram[] {
    return this.programs.filter((one) => one.name.startsWith(service) && one.isUp);
  }

  #many(service: string, count: number, open: (name: string, at: number) => Opener): SimProgram[] {
    return Array.from({ length: count }, (_, i) => {
      const name = `${service}-${i}`;
      const onGone = () => this.#gone(service, name);
      return new SimProgram({ name, open: open(name, i), onGone }, this.#ground);
    });
  }

  #worker(name: string, at: number): Opener {
    const { clock: world } = this.#parts;
    const spec = simWorkerSpec({
      vocabulary: this.#parts.vocabulary,
      host: this.#parts.shape.hostBlocks === 0 ? undefined : () => {
        const clock = this.program(name).life?.clock ?? world;
        const tier = new RankTier({ books: () => this.#books, clock });
        this.#tiers.set(name, [...this.#tiers.get(name) ?? [], tier]);
        return tier;
      },
    }, (engines) => this.#engines.set(name, engines));
    const fixed = ["--engine", "sim", "--model", "sim", "--served-name", simModel, "--kvbm", "off"];
    const { roles, args } = this.#parts.shape;
    return opener(spec, [...fixed, "--role", roles[at], ...args.worker]);
  }

  #kvbm(blocks: number): Opener {
    const onOpen = (books: TierBooks) => this.#books = books;
    return opener(kvbmProgram({ blocks, blockSize: simBlockSize, onOpen }), []);
  }

  /** Whoever notices that a program is gone. */
  #gone(service: string, name: string): void {
    if (service === "frontend") this.#parts.onFrontendGone(name);
    if (service === "kvbm") {
      this.#pastHits = this.tierHits;
      this.#books = undefined;
    }
    if (service !== "worker") return;
    const tiers = this.#tiers.get(name) ?? [];
    this.#tiers.delete(name);
    // The connection on the same host ends with the process.
    this.#parts.clock.timer(noticedMs, () => tiers.forEach((tier) => tier.leave()));
  }

  #frontend(name: string): Opener {
    const spec = frontendProgram((inside) => this.#frontends.set(name, inside));
    return opener<typeof commonOptions>(spec, []);
  }
}

type Opener = (host: ServiceHost) => ReturnType<typeof startService>;

const drainArgs = ["--drain-timeout", `${drainMs}ms`];

function opener<Schema extends ServiceSchema>(
  spec: ServiceSpec<Schema>,
  args: readonly string[],
): Opener {
  const parsed = parseConfig(spec.schema, { args: [...drainArgs, ...args], env: {} });
  if ("problems" in parsed) throw new TypeError(parsed.problems.join("; "));
  return (host) => startService(spec, parsed.config, host);
}
