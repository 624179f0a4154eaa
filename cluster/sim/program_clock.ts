import { deadlineOn, sleepOn } from "@pixii/runtime";
import type { Clock } from "@pixii/runtime";

/**
 * The clock of one simulated program: it shows the world's time, stands still while its program is stopped, and runs
 * nothing more once that is dead.
 */
export class ProgramClock implements Clock {
  readonly #world: Clock;
  #isDead = false;
  #isStopped = false;
  /** What came due meanwhile, in order. */
  #held: (() => void)[] = [];

  constructor(world: Clock) {
    this.#world = world;
  }

  /** True once its program is dead. */
  get isDead(): boolean {
    return this.#isDead;
  }

  nowMs(): number {
    return this.#world.nowMs();
  }

  wallMs(): number {
    return this.#world.wallMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  turn(callback: () => void): Disposable {
    return this.timer(0, callback);
  }

  timer(ms: number, callback: () => void): Disposable {
    let isLive = true;
    const fire = () => {
      if (!isLive) return;
      isLive = false;
      callback();
    };
    const timer = this.#world.timer(ms, () => this.run(fire));
    return {
      [Symbol.dispose]: () => {
        isLive = false;
        timer[Symbol.dispose]();
      },
    };
  }

  /** As an event loop does: after a stall it goes on from now, and what was missed is not made up for. */
  every(ms: number, callback: () => void): Disposable {
    let dueMs = this.nowMs() + ms;
    let isLive = true;
    let timer: Disposable;
    const fire = () => {
      if (!isLive) return;
      callback();
      dueMs = Math.max(dueMs, this.nowMs()) + ms;
      if (isLive) arm();
    };
    const due = () => this.run(fire);
    const arm = () => timer = this.#world.timer(dueMs - this.nowMs(), due);
    arm();
    return {
      [Symbol.dispose]: () => {
        isLive = false;
        timer[Symbol.dispose]();
      },
    };
  }

  deadline(ms: number): { readonly signal: AbortSignal } & Disposable {
    return deadlineOn(this, ms);
  }

  /** Runs something of its program: now, once it goes on, or never. */
  run(callback: () => void): void {
    if (this.#isDead) return;
    if (this.#isStopped) this.#held.push(callback);
    else callback();
  }

  /** Its program dies. */
  kill(): void {
    this.#isDead = true;
    this.#held = [];
  }

  /** Its program stands still. */
  stop(): void {
    this.#isStopped = true;
  }

  /** It goes on: first with what came due meanwhile, each in a turn of its own. */
  goOn(): void {
    this.#isStopped = false;
    for (const callback of this.#held.splice(0)) this.#world.timer(0, () => this.run(callback));
  }
}
