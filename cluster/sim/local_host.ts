import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { FrameSocket } from "@pixii/runtime";
import type { Log } from "@pixii/runtime";
import { PipeEnd } from "./local_pipe.ts";
import type { ProgramClock } from "./program_clock.ts";

/** Who listens on a path. */
interface Listener {
  readonly clock: ProgramClock;
  readonly log: Log;
  serve(socket: FrameSocket): void;
}

/** The host of a run's programs: its processes, and the connections between them. */
export class LocalHost {
  readonly #listeners = new Map<string, Listener>();
  readonly #processes = new Map<number, ProgramClock>();
  readonly #ends = new Map<ProgramClock, Set<PipeEnd>>();
  #pids = 100;

  /** A program's process; it is seen until the program's clock is dead. */
  process(clock: ProgramClock): number {
    this.#pids += 1;
    this.#processes.set(this.#pids, clock);
    return this.#pids;
  }

  /** When a process began, while it lives. */
  startOf(pid: number): string | undefined {
    return this.#processes.get(pid)?.isDead === false ? `${pid}` : undefined;
  }

  /** Serves connections to this path until disposed or dead. */
  listen(path: string, listener: Listener): Disposable {
    this.#listeners.set(path, listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(path) };
  }

  /** A connection of the program with this clock. */
  connect(
    path: string,
    from: { readonly clock: ProgramClock; readonly log: Log },
  ): Result<FrameSocket> {
    const listener = this.#listeners.get(path);
    if (listener === undefined || listener.clock.isDead) {
      return fail("no_responders", `Cannot connect to ${path}: nobody listens`);
    }
    const [near, far] = PipeEnd.pair(from.clock, listener.clock);
    this.#endsOf(from.clock).add(near);
    this.#endsOf(listener.clock).add(far);
    listener.clock.timer(0, () => listener.serve(new FrameSocket(far, listener.log)));
    return ok(new FrameSocket(near, from.log));
  }

  /** A program is dead: its connections end. */
  gone(clock: ProgramClock): void {
    for (const end of this.#ends.get(clock) ?? []) end.cut();
    this.#ends.delete(clock);
    for (const [pid, one] of this.#processes) if (one === clock) this.#processes.delete(pid);
  }

  #endsOf(clock: ProgramClock): Set<PipeEnd> {
    let ends = this.#ends.get(clock);
    if (ends === undefined) this.#ends.set(clock, ends = new Set());
    return ends;
  }
}
