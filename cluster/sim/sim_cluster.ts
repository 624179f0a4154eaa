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
import { kvbmProgram } from "./host_tier.ts";
import type { TierBooks } from "./host_tier.ts";
import { LocalHost } from "./local_host.ts";
import type { SimLog } from "./sim_log.ts";
import { SimNetwork } from "./sim_network.ts";
import type { ProgramClock } from "./program_clock.ts";
import { SimProgram } from "./sim_program.ts";
import type { SimGround } from "./sim_program.ts";
import { simModel } from "./sim_shape.ts";
import type { SimShape } from "./sim_shape.ts";
import { WorkerTier } from "./worker_tier.ts";

/** Longest drain of a program that is told to stop. */
export const drainMs = 5_000;

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
  readonly #host = new LocalHost();
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
      const onGone = (clock: ProgramClock) => {
        this.#host.gone(clock);
        this.#gone(service, name);
      };
      return new SimProgram({ name, open: open(name, i), onGone }, this.#ground);
    });
  }

  #worker(name: string, at: number): Opener {
    const { vocabulary, shape: { hostBlocks, speed } } = this.#parts;
    const onEngines = (engines: readonly SimEngine[]) => void this.#engines.set(name, engines);
    const fixed = ["--engine", "sim", "--model", "sim", "--served-name", simModel, "--kvbm", "off"];
    const { roles, args } = this.#parts.shape;
    const flags = [...fixed, "--role", roles[at], ...args.worker];
    if (hostBlocks === 0) return opener(simWorkerSpec({ vocabulary }, onEngines), flags);
    return (host) => {
      const { clock } = this.program(name).life!;
      // One for all ranks, as a worker has one connection.
      const tier = new WorkerTier({ books: () => this.#books, host: this.#host, clock, speed });
      const spec = simWorkerSpec({
        ...{ vocabulary, host: () => tier },
        store: (context, { layoutFingerprint }) => tier.open(context, layoutFingerprint),
      }, onEngines);
      return opener(spec, flags)(host);
    };
  }

  #kvbm(blocks: number): Opener {
    const onOpen = (books: TierBooks) => this.#books = books;
    const clock = () => this.program("kvbm-0").life!.clock;
    return opener(kvbmProgram({ blocks, host: this.#host, clock, onOpen }), []);
  }

  /** Whoever notices that a program is gone. */
  #gone(service: string, name: string): void {
    if (service === "frontend") this.#parts.onFrontendGone(name);
    if (service === "kvbm") {
      this.#pastHits = this.tierHits;
      this.#books = undefined;
    }
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
