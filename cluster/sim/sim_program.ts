import { denoThreads, seededChance } from "@pixii/runtime";
import type {
  MemoryBus,
  MemoryHub,
  MemoryRegistry,
  MemoryRegistryHub,
  RunningService,
  ServiceHost,
  VirtualClock,
} from "@pixii/runtime";
import { mixSeed } from "./core/mix_seed.ts";
import { ProgramClock } from "./program_clock.ts";
import type { SimLog } from "./sim_log.ts";
import type { SimNetwork } from "./sim_network.ts";

/** What programs of a run live in. */
export interface SimGround {
  readonly clock: VirtualClock;
  readonly hub: MemoryHub;
  readonly registries: MemoryRegistryHub;
  readonly network: SimNetwork;
  readonly log: SimLog;
  readonly seed: number;
  broken(message: string): void;
}

/** What a program is. */
export interface ProgramPlan {
  /** Like `worker-0`. */
  readonly name: string;
  open(host: ServiceHost): Promise<RunningService>;
  /** It died or was stopped, and this clock with it; whatever of it is still watched is over. */
  onGone?(clock: ProgramClock): void;
}

/** One run of a program, from its start to its end. */
export interface Life {
  readonly clock: ProgramClock;
  readonly bus: MemoryBus;
  readonly registry: MemoryRegistry;
  /** Nothing until it has started. */
  running: RunningService | undefined;
  isStopping: boolean;
}

/** A program that can die, be stopped and come back as another instance. */
export class SimProgram {
  readonly name: string;
  readonly #ground: SimGround;
  readonly #plan: ProgramPlan;
  #life: Life | undefined;
  #lives = 0;

  constructor(plan: ProgramPlan, ground: SimGround) {
    this.name = plan.name;
    this.#plan = plan;
    this.#ground = ground;
  }

  /** Its present life, where it has one. */
  get life(): Life | undefined {
    return this.#life;
  }

  /** True once it has started, until it is told to stop. */
  get isUp(): boolean {
    return this.#life?.running !== undefined && !this.#life.isStopping;
  }

  /** Starts it where it is not alive; it is up some turns later. */
  start(): void {
    if (this.#life !== undefined) return;
    const { clock: world, hub, registries, network, log, seed } = this.#ground;
    const clock = new ProgramClock(world);
    const [bus, registry] = [hub.connect(clock), registries.connect()];
    const life: Life = { clock, bus, registry, running: undefined, isStopping: false };
    this.#life = life;
    this.#lives += 1;
    network.join(bus, { name: this.name, clock });
    log.line(`start ${this.name} life ${this.#lives}`);
    const isLive = () => !clock.isDead;
    const host: ServiceHost = {
      ...{ bus, registry, clock, threads: denoThreads() },
      chance: seededChance(mixSeed(seed, `${this.name} ${this.#lives}`)),
      admin: { url: "http://127.0.0.1:9", mount: () => ({ [Symbol.dispose]: () => {} }) },
      process: { pid: 1, host: "localhost" },
      log: () => log.of(this.name, isLive, (line) => this.#ground.broken(`error logged: ${line}`)),
    };
    this.#plan.open(host).then((running) => this.#opened(life, running), (error) => {
      if (isLive()) this.#ground.broken(`${this.name} did not start: ${error.message}`);
    });
  }

  /** It dies: nothing of it runs any more. `isSilent`: its connections stay open to the others for some time. */
  kill(isSilent: boolean): void {
    const life = this.#life;
    if (life === undefined) return;
    const { network, log, clock } = this.#ground;
    log.line(`kill ${this.name} instance ${life.running?.instance ?? "-"}`);
    this.#life = undefined;
    life.clock.kill();
    network.leave(life.bus);
    life.registry.cut();
    if (isSilent) clock.timer(silentMs, () => life.bus.cut());
    else life.bus.cut();
    this.#plan.onGone?.(life.clock);
  }

  /** It is told to stop; `then` is called when it has ended, however. */
  stop(then: () => void): void {
    const life = this.#life;
    if (life?.running === undefined || life.isStopping) return;
    life.isStopping = true;
    this.#ground.log.line(`stop ${this.name} instance ${life.running.instance}`);
    life.running.stop().then(() => this.#stopped(life, then), (error) => {
      if (!life.clock.isDead) this.#ground.broken(`${this.name} did not stop: ${error.message}`);
    });
  }

  #opened(life: Life, running: RunningService): void {
    if (life.clock.isDead) return;
    life.running = running;
    this.#ground.log.line(`up ${this.name} instance ${running.instance}`);
    running.service.failed?.then((error) => {
      if (!life.clock.isDead) this.#ground.broken(`${this.name} failed: ${error.message}`);
    });
  }

  /** Its process ends: connections are closed, and what it left behind does not run. */
  async #stopped(life: Life, then: () => void): Promise<void> {
    if (life.clock.isDead) return;
    await life.registry[Symbol.asyncDispose]();
    await life.bus[Symbol.asyncDispose]();
    life.clock.kill();
    this.#ground.network.leave(life.bus);
    this.#ground.log.line(`gone ${this.name}`);
    this.#life = undefined;
    this.#plan.onGone?.(life.clock);
    then();
  }
}

/** How long the bus thinks a vanished host is still there: its pings go unanswered. */
const silentMs = 10_000;
