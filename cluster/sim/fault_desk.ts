import type { VirtualClock } from "@pixii/runtime";
import { faultText } from "./core/fault.ts";
import type { Fault } from "./core/fault.ts";
import { drainMs } from "./sim_cluster.ts";
import type { SimCluster } from "./sim_cluster.ts";
import type { SimLog } from "./sim_log.ts";
import type { SimProgram } from "./sim_program.ts";

/** Who is to die midway dies after this at the latest. */
const midwayMs = 5_000;

/** What a desk works with. */
export interface FaultDeskParts {
  readonly cluster: SimCluster;
  readonly clock: VirtualClock;
  readonly log: SimLog;
  /** In order of time; `atMs` counts from `startMs` on. */
  readonly faults: readonly Fault[];
  readonly startMs: number;
}

/** Makes go wrong what a plan says, and knows what may be excused by it. */
export class FaultDesk {
  readonly #parts: FaultDeskParts;
  /** Those that are to die in the middle of something, and have not yet. */
  readonly #midway = new Set<Fault>();

  constructor(parts: FaultDeskParts) {
    this.#parts = parts;
  }

  /** From now on the clock begins the faults. */
  arm(): void {
    const { clock, faults, startMs } = this.#parts;
    for (const fault of faults) {
      clock.timer(startMs + fault.atMs - clock.nowMs(), () => this.#begin(fault));
    }
  }

  /** When the last fault is over at the latest; what it left behind is not. */
  get endMs(): number {
    const { faults, startMs } = this.#parts;
    const lateMs = ({ kind }: Fault) => kind === "midway" ? midwayMs : 0;
    return Math.max(0, ...faults.map((one) => startMs + one.atMs + one.forMs + lateMs(one)));
  }

  /**
   * True where a fault was in force, or over for less than `excusedMs`, at some time from `fromMs` until now; `names`:
   * a fault of one of those programs. O(faults).
   */
  isHit(
    fromMs: number,
    { excusedMs, names }: { readonly excusedMs: number; readonly names?: readonly string[] },
  ): boolean {
    const { clock, faults, startMs } = this.#parts;
    const untilMs = clock.nowMs() - startMs;
    return faults.some(({ atMs, forMs, kind, target }) => {
      if (names?.includes(target) === false) return false;
      // A program that is told to stop has time to drain before it is away.
      const lateMs = kind === "restart" ? drainMs : kind === "midway" ? midwayMs : 0;
      return atMs <= untilMs && atMs + lateMs + forMs + excusedMs >= fromMs - startMs;
    });
  }

  /** A step was made: whoever is to die midway may be in the middle of something now. */
  step(): void {
    for (const fault of this.#midway) if (this.#isBusy(fault.target)) this.#strike(fault);
  }

  #begin(fault: Fault): void {
    const { kind, target, forMs, amount } = fault;
    const { clock, log, cluster } = this.#parts;
    const program = cluster.program(target);
    log.line(`fault ${faultText(fault)}`);
    const after = (then: () => void) => void clock.timer(forMs, then);
    if (kind === "kill") this.#kill(program, fault);
    else if (kind === "midway") {
      this.#midway.add(fault);
      clock.timer(midwayMs, () => this.#strike(fault));
    } else if (kind === "restart") program.stop(() => after(() => program.start()));
    else if (kind === "slow") {
      const stopped = program.life?.clock;
      stopped?.stop();
      after(() => stopped?.goOn());
    } else {
      const { network } = cluster;
      const life = kind === "partition" ? program.life : undefined;
      network.begin(fault);
      if (amount === 0) life?.bus.disconnect();
      life?.registry.disconnect();
      after(() => {
        network.end(fault);
        if (life === undefined || life.clock.isDead) return;
        life.bus.reconnect();
        life.registry.reconnect();
      });
    }
  }

  #kill(program: SimProgram, { forMs, amount }: Fault): void {
    program.kill(amount > 0);
    this.#parts.clock.timer(forMs, () => program.start());
  }

  #strike(fault: Fault): void {
    if (!this.#midway.delete(fault)) return;
    this.#kill(this.#parts.cluster.program(fault.target), fault);
  }

  /** True where a program has something in hand that its death leaves half done. */
  #isBusy(name: string): boolean {
    const { cluster } = this.#parts;
    const { tier } = cluster;
    const { running } = cluster.program(name).life ?? {};
    if (running === undefined) return false;
    const engines = cluster.engines(name);
    if (tier !== undefined && (engines !== undefined || name.startsWith("kvbm"))) {
      return tier.server.members().some(({ instance, reserved, leases }) =>
        reserved + leases > 0 && (engines === undefined || instance === running.instance)
      );
    }
    if (engines !== undefined) return engines.some((engine) => engine.load().running > 0);
    const router = cluster.router(name);
    if (router !== undefined) return router.state.ledger.size > 0;
    const frontend = name.startsWith("frontend") ? cluster.frontend(name) : undefined;
    return frontend === undefined || frontend.generator.live > 0;
  }
}
