import { ChurnMap } from "@pixii/wire";

/** Waits of one group end within this part of their length of each other. */
const groupsPerWait = 16;
/** Waits above this power of two, in ms, share groups as if they were this long. */
const longestPower = 40;

/** A timer below. */
export interface NativeTimer extends Disposable {
  /** Whether the program stays up for it, as it does at first. */
  keep(isKept: boolean): void;
}

/** The timers below: the runtime's own, or a test's. */
export interface NativeTimers {
  nowMs(): number;
  /** Runs `callback` once after `ms`; not before. */
  set(ms: number, callback: () => void): NativeTimer;
}

/** One that waits. */
interface Waiting {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Those that end in one stretch of time, and the timer for the first of them; none while they are called. */
interface Group {
  readonly waiting: ChurnMap<number, Waiting>;
  dueMs: number;
  timer: NativeTimer | undefined;
}

/**
 * Many waits over few native timers: one per stretch of time, because most waits are dropped long before their end and a
 * native timer costs some microseconds to make and to drop. Each callback runs at its own time all the same. A group
 * that nobody waits in any more keeps its timer until that fires, as the next wait may be of the same stretch, but
 * does not keep the program up. O(1) to add and to drop; a timer that fires looks at the members of its group.
 */
export class TimerGroups {
  readonly #native: NativeTimers;
  readonly #groups = new Map<number, Group>();
  #made = 0;

  constructor(native: NativeTimers) {
    this.#native = native;
  }

  /** Native timers that run. */
  get size(): number {
    return this.#groups.size;
  }

  /** Runs `callback` once after `ms` (at least 1), unless disposed before. */
  add(ms: number, callback: () => void): Disposable {
    const dueMs = this.#native.nowMs() + ms;
    const power = Math.min(longestPower, Math.floor(Math.log2(ms)));
    const widthMs = 2 ** power / groupsPerWait;
    // Waits of one length share a group; those of other lengths have other groups, told apart by the last digits.
    const key = Math.floor(dueMs / widthMs) * 64 + power;
    const id = ++this.#made;
    this.#group(key, ms, dueMs).waiting.set(id, { dueMs, callback });
    return { [Symbol.dispose]: () => this.#drop(key, id) };
  }

  #group(key: number, ms: number, dueMs: number): Group {
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { waiting: new ChurnMap<number, Waiting>(), dueMs, timer: undefined };
      this.#groups.set(key, group);
    }
    if (group.timer === undefined || dueMs < group.dueMs) this.#arm(key, group, dueMs, ms);
    else if (group.waiting.size === 0) group.timer.keep(true);
    return group;
  }

  #arm(key: number, group: Group, dueMs: number, ms: number): void {
    group.timer?.[Symbol.dispose]();
    group.dueMs = dueMs;
    group.timer = this.#native.set(ms, () => this.#fire(key));
  }

  #drop(key: number, id: number): void {
    const group = this.#groups.get(key);
    if (group === undefined || !group.waiting.delete(id) || group.waiting.size > 0) return;
    group.timer?.keep(false);
  }

  #fire(key: number): void {
    const group = this.#groups.get(key)!;
    group.timer = undefined;
    const nowMs = this.#native.nowMs();
    const due: [number, Waiting][] = [];
    let nextMs = Infinity;
    for (const [id, waiting] of group.waiting) {
      if (waiting.dueMs > nowMs) nextMs = Math.min(nextMs, waiting.dueMs);
      else due.push([id, waiting]);
    }
    if (nextMs < Infinity) this.#arm(key, group, nextMs, nextMs - nowMs);
    for (const [id, { callback }] of due.sort(([, a], [, b]) => a.dueMs - b.dueMs)) {
      // One of them may have dropped another.
      if (!group.waiting.has(id)) continue;
      this.#drop(key, id);
      try {
        callback();
      } catch (error) {
        // As from a timer of its own: nobody catches it, and the others still run.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    if (group.timer === undefined) this.#groups.delete(key);
  }
}
