import type { WorkerTimes } from "@pixii/wire";
import { waitChance } from "./erlang.ts";
import { usualSpread } from "./service_goal.ts";
import type { Mix, ServiceGoal, Spread } from "./service_goal.ts";

/** Requests beyond the promise: 5 of 100. */
const tail = 0.05;
/** How far above its mean a Poisson number lies in 95 of 100 cases, in deviations. */
const deviations = 1.65;
/** Prompts are computed at most this share of the time: queues explode close to 1. */
const mostBusy = 0.92;
/** Share of a worker that does both phases that can be used before they disturb each other too much. */
const mostBusyBoth = 0.75;
/** Steps of the search for a rate; each halves the interval. */
const searchSteps = 30;

/** What one worker of a model can do besides its times. */
export interface WorkerRoom {
  /** Most sequences at a time. */
  readonly maxSeqs: number;
  /** Tokens of KV it holds. */
  readonly kvTokens: number;
}

/** Whether the goal can be met at all, however many workers there are. */
export type Feasibility =
  | { readonly possible: true }
  | { readonly possible: false; readonly why: string };

/**
 * How many requests of a mix `n` workers serve within the goal, from the measured times of one. Prefill workers are a
 * queue with one line (Allen and Cunneen's G/G/n over Erlang's C); decode workers are batches whose size is what Little's
 * law says and varies as a Poisson number does, kept below the size at which a step takes longer than the goal.
 */
export class PhaseCapacity {
  readonly #times: WorkerTimes;
  readonly #room: WorkerRoom;
  readonly #goal: ServiceGoal;
  readonly #spread: Spread;

  constructor(
    times: WorkerTimes,
    options: { readonly room: WorkerRoom; readonly goal: ServiceGoal; readonly spread?: Spread },
  ) {
    this.#times = times;
    this.#room = options.room;
    this.#goal = options.goal;
    this.#spread = options.spread ?? usualSpread;
  }

  /** Whether one idle worker of each kind meets the goal for this mix, and why not. */
  feasible(mix: Mix): Feasibility {
    const prompt = this.#promptMs(mix);
    if (prompt > this.#goal.ttftMs) {
      return {
        possible: false,
        why: `a mean prompt of ${Math.round(mix.newTokens)} new tokens takes ${
          Math.round(prompt)
        } ms on an idle worker, and the goal for the first token is ${this.#goal.ttftMs} ms`,
      };
    }
    if (this.batch(mix) === 0) {
      const step = this.#times.decodeStepMs(1, contextOf(mix));
      return {
        possible: false,
        why: `one step of one sequence takes ${
          step.toFixed(1)
        } ms, and the goal between tokens is ${this.#goal.itlMs} ms`,
      };
    }
    return { possible: true };
  }

  /** 95th percentile of the time to first token with `workers` prefill workers, ms; Infinity where they cannot keep up. */
  ttftMs(workers: number, mix: Mix): number {
    const service = this.#promptMs(mix);
    const load = mix.rate * service / 1000;
    if (workers === 0 || load >= workers) return load === 0 ? service : Infinity;
    const waits = waitChance(workers, load);
    const drain = (workers - load) / service;
    const burst = (this.#spread.arrivals + this.#spread.prompts) / 2;
    const waitMs = waits <= tail ? 0 : Math.log(waits / tail) / drain * burst;
    return waitMs + service * this.#longPrompt(service);
  }

  /** Requests per second whose prompts `workers` workers compute at most, be they late or not. */
  promptRate(workers: number, mix: Mix): number {
    const service = this.#promptMs(mix);
    return service === 0 ? Infinity : workers * 1000 / service;
  }

  /** Requests per second that `workers` prefill workers serve within the goal; where it is impossible, what keeps up. */
  prefillRate(workers: number, mix: Mix): number {
    const service = this.#promptMs(mix);
    if (workers === 0) return 0;
    if (service === 0) return Infinity;
    const most = mostBusy * workers * 1000 / service;
    const isMet = (rate: number) => this.ttftMs(workers, { ...mix, rate }) <= this.#goal.ttftMs;
    if (isMet(most) || !isMet(most / 1_000)) return most;
    let [low, high] = [0, most];
    for (let i = 0; i < searchSteps; i++) {
      const middle = (low + high) / 2;
      if (isMet(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Largest batch whose step meets the goal between tokens, at most what KV and the engine hold; 0 where none does. */
  batch(mix: Mix): number {
    const context = contextOf(mix);
    let [low, high] = [0, this.#fullBatch(mix)];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#times.decodeStepMs(middle, middle * context) <= this.#goal.itlMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Requests per second that `workers` decode workers serve within the goal; where it is impossible, what keeps up. */
  decodeRate(workers: number, mix: Mix): number {
    if (workers === 0) return 0;
    if (mix.osl <= 1) return Infinity;
    const batch = this.batch(mix) || Math.max(1, this.#fullBatch(mix));
    const stepMs = this.#times.decodeStepMs(batch, batch * contextOf(mix));
    // Sequences at a time, s, with s + deviations x sqrt(s) = all places.
    const places = workers * batch;
    const root = (-deviations + Math.sqrt(deviations ** 2 + 4 * places)) / 2;
    return root ** 2 / (mix.osl * stepMs / 1000);
  }

  /** Requests per second that `workers` serve within the goal where each does both phases. */
  bothRate(workers: number, mix: Mix): number {
    if (workers === 0) return 0;
    const batch = this.batch(mix) || Math.max(1, this.#fullBatch(mix));
    const stepMs = this.#times.decodeStepMs(batch, batch * contextOf(mix));
    const workMs = this.#promptMs(mix) + mix.osl * stepMs / batch;
    if (workMs === 0) return Infinity;
    const most = mostBusyBoth * workers * 1000 / workMs;
    return Math.min(most, this.prefillRate(workers, mix));
  }

  /** What KV and the engine hold. */
  #fullBatch(mix: Mix): number {
    const held = Math.floor(this.#room.kvTokens / Math.max(1, contextOf(mix)));
    return Math.min(this.#room.maxSeqs, held);
  }

  #promptMs({ isl, newTokens }: Mix): number {
    return this.#times.prefillMs(newTokens, Math.max(0, isl - newTokens));
  }

  /** A prompt far above the mean counts as far as the goal leaves room for it: what is too long alone is nobody's fault. */
  #longPrompt(serviceMs: number): number {
    const room = serviceMs === 0 ? 1 : 0.8 * this.#goal.ttftMs / serviceMs;
    return Math.max(1, Math.min(this.#spread.longPrompt, room));
  }
}

/** Tokens of context of a sequence in the middle of its answer. */
function contextOf({ isl, osl }: Mix): number {
  return isl + osl / 2;
}
