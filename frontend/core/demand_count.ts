import { timeBinOf } from "@pixii/wire";
import type { ModelDemand, ModelHash } from "@pixii/wire";

/** A stream that ended by itself. */
export interface ServedStream {
  readonly promptTokens: number;
  /** Of them, taken from KV. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** From the request's start to its first token, queues included. */
  readonly ttftMs: number;
  /** From its first token to its last. */
  readonly decodeMs: number;
}

interface Served {
  streams: number;
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  readonly ttft: Map<number, number>;
  readonly itl: Map<number, number>;
}

type Counts = { -readonly [Name in keyof ModelDemand]: ModelDemand[Name] };

/** Most models counted between two reports; more are not. */
const mostModels = 1024;

/** Counts what is asked of each model between two reports. O(1) a fact. */
export class DemandCount {
  #counts = new Map<ModelHash, Counts>();
  #served = new Map<ModelHash, Served>();
  /** Requests that wait for a worker of each model; they are told in every report until they wait no more. */
  readonly #waiting = new Map<ModelHash, number>();

  /** So many requests more (or, below 0, fewer) wait for a worker; answers how many do now. */
  waits(model: ModelHash, more: number): number {
    const now = (this.#waiting.get(model) ?? 0) + more;
    if (now > 0) this.#waiting.set(model, now);
    else this.#waiting.delete(model);
    return now;
  }

  /** A stream was placed; this many of its prompt's tokens must be computed. */
  booked(model: ModelHash, prefillTokens: number): void {
    const counts = this.#of(model);
    if (counts === undefined) return;
    counts.booked += 1;
    counts.prefillTokens += prefillTokens;
  }

  /** A stream had its first token `waitMs` after it was placed. */
  firstToken(model: ModelHash, waitMs: number): void {
    const counts = this.#of(model);
    if (counts === undefined) return;
    counts.firstTokens += 1;
    counts.ttftSumMs += waitMs;
  }

  /** A placed stream is over. */
  completed(model: ModelHash): void {
    const counts = this.#of(model);
    if (counts !== undefined) counts.completed += 1;
  }

  /** A stream has ended by itself. */
  served(model: ModelHash, stream: ServedStream): void {
    if (this.#of(model) === undefined) return;
    let served = this.#served.get(model);
    if (served === undefined) {
      const zero = { streams: 0, promptTokens: 0, cachedTokens: 0, outputTokens: 0 };
      this.#served.set(model, served = { ...zero, ttft: new Map(), itl: new Map() });
    }
    const { promptTokens, cachedTokens, outputTokens, ttftMs, decodeMs } = stream;
    served.streams += 1;
    served.promptTokens += promptTokens;
    served.cachedTokens += cachedTokens;
    served.outputTokens += outputTokens;
    countTime(served.ttft, ttftMs);
    if (outputTokens > 1) countTime(served.itl, decodeMs / (outputTokens - 1));
  }

  /** What was counted since the last call. */
  take(): ModelDemand[] {
    const counts = this.#counts;
    const served = this.#served;
    this.#counts = new Map();
    this.#served = new Map();
    for (const [model, waiting] of this.#waiting) {
      const one = counts.get(model) ?? zeroOf(model);
      counts.set(model, { ...one, waiting });
    }
    return [...counts.values()].map((one) => {
      const mine = served.get(one.model);
      if (mine === undefined) return one;
      return { ...one, served: { ...mine, ttft: [...mine.ttft], itl: [...mine.itl] } };
    });
  }

  #of(model: ModelHash): Counts | undefined {
    const known = this.#counts.get(model);
    if (known !== undefined || this.#counts.size === mostModels) return known;
    const made = zeroOf(model);
    this.#counts.set(model, made);
    return made;
  }
}

function zeroOf(model: ModelHash): Counts {
  return { model, booked: 0, prefillTokens: 0, completed: 0, firstTokens: 0, ttftSumMs: 0 };
}

function countTime(bins: Map<number, number>, ms: number): void {
  const bin = timeBinOf(ms);
  bins.set(bin, (bins.get(bin) ?? 0) + 1);
}
