import type { Clock, Log } from "@pixii/runtime";

/** How a child process ended. */
export interface ChildEnd {
  readonly code: number;
  /** `SIGKILL` and such where a signal ended it. */
  readonly signal: string | null;
}

/** A running child process. */
export interface Child {
  readonly pid: number;
  readonly ended: Promise<ChildEnd>;
  /** Asks (`SIGTERM`: drain) or forces (`SIGKILL`); one that is gone is no error. */
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

/** Waits between restarts. */
export interface BackOff {
  readonly firstMs: number;
  /** The wait doubles up to this. */
  readonly maxMs: number;
  /** A child that ran this long starts again at `firstMs`. */
  readonly stableMs: number;
}

/** The waits outside of tests. */
export const backOff: BackOff = { firstMs: 100, maxMs: 5_000, stableMs: 10_000 };

/** What a supervisor is told. */
export interface SupervisorOptions {
  readonly name: string;
  /** Starts the child; throws where the program cannot be started at all. */
  readonly spawn: () => Child;
  readonly clock: Clock;
  readonly log: Log;
  readonly backOff?: BackOff;
  /** Runs in a row that were not stable after which it gives up; without it it never does. */
  readonly mostShortRuns?: number;
  /** Told when it gave up: the child is not started any more. */
  readonly onGiveUp?: () => void;
  /** Told at every start. */
  readonly onStart?: (child: Child) => void;
  /** Told at every end, also the wanted one. */
  readonly onEnd?: (end: ChildEnd, wanted: boolean) => void;
}

/** Keeps one child process running: a child that ends unasked is started again after a growing wait. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #backOff: BackOff;
  readonly #stop = new AbortController();
  #child: Child | undefined;
  #restarts = 0;
  #shortRuns = 0;
  #waitMs: number;
  #loop: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#backOff = options.backOff ?? backOff;
    this.#waitMs = this.#backOff.firstMs;
  }

  /** The name given. */
  get name(): string {
    return this.#options.name;
  }

  /** Process id of the running child; undefined between restarts. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts after the first one. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Starts the child. Throws what the first `spawn` throws. */
  start(): void {
    if (this.#loop !== undefined) throw new Error(`${this.name} is already supervised`);
    const first = this.#spawn();
    this.#loop = this.#watch(first);
  }

  /**
   * Lets a running child end by itself: SIGTERM, SIGKILL after `graceMs` or when `hurry` aborts. Resolves when it is gone.
   * Asked again while it ends, only the earlier SIGKILL is new: a second SIGTERM would cut its drain short.
   */
  async stop(graceMs: number, hurry?: AbortSignal): Promise<void> {
    const isEnding = this.#stop.signal.aborted;
    this.#stop.abort();
    const child = this.#child;
    if (child !== undefined) {
      const kill = () => child.signal("SIGKILL");
      if (hurry?.aborted) kill();
      else {
        if (!isEnding) child.signal("SIGTERM");
        using _grace = this.#options.clock.timer(graceMs, kill);
        hurry?.addEventListener("abort", kill, { once: true });
        await child.ended;
        hurry?.removeEventListener("abort", kill);
      }
    }
    await this.#loop;
  }

  #spawn(): Child {
    const child = this.#options.spawn();
    this.#child = child;
    this.#options.onStart?.(child);
    return child;
  }

  async #watch(first: Child): Promise<void> {
    const { clock, log, onEnd, mostShortRuns, onGiveUp } = this.#options;
    const { name } = this;
    for (let child: Child | undefined = first; child !== undefined;) {
      const beganMs = clock.nowMs();
      const end = await child.ended;
      this.#child = undefined;
      const wanted = this.#stop.signal.aborted;
      onEnd?.(end, wanted);
      if (wanted) return;
      const wasStable = clock.nowMs() - beganMs >= this.#backOff.stableMs;
      if (wasStable) this.#waitMs = this.#backOff.firstMs;
      this.#shortRuns = wasStable ? 0 : this.#shortRuns + 1;
      if (this.#shortRuns >= (mostShortRuns ?? Infinity)) {
        log.error(`${name} ended (${endText(end)}) ${this.#shortRuns} times in a row: given up`);
        return onGiveUp?.();
      }
      log.warn(`${name} ended (${endText(end)}); it starts again in ${this.#waitMs} ms`);
      child = await this.#again();
    }
  }

  async #again(): Promise<Child | undefined> {
    const { clock, log, name } = this.#options;
    for (;;) {
      const waitMs = this.#waitMs;
      this.#waitMs = Math.min(waitMs * 2, this.#backOff.maxMs);
      try {
        await clock.sleep(waitMs, this.#stop.signal);
      } catch (error) {
        if (this.#stop.signal.aborted) return undefined;
        throw error;
      }
      this.#restarts++;
      try {
        return this.#spawn();
      } catch (error) {
        log.error(`${name} cannot be started: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
}

/** An end for people: `exit code 1`, `SIGKILL`. */
export function endText(end: ChildEnd): string {
  return end.signal ?? `exit code ${end.code}`;
}
