import { greedySampling } from "@pixii/wire";
import type { KvEvent, RequestId } from "@pixii/wire";
import type { EngineRequest } from "../../engine.ts";
import { SimScheduler } from "./sim_scheduler.ts";
import type { SchedulerOptions } from "./sim_scheduler.ts";
import type { PlainTokens } from "./token_source.ts";

/** Words of a vocabulary of 1000. */
export const plainTokens: PlainTokens = {
  first: Uint32Array.from({ length: 50 }, (_, i) => 100 + i),
  rest: Uint32Array.from({ length: 500 }, (_, i) => 200 + i),
};

/** A scheduler of small blocks; what is given replaces it. */
export function schedulerOptions(options: Partial<SchedulerOptions> = {}): SchedulerOptions {
  return {
    blocks: 64,
    blockSize: 4,
    hostBlocks: 0,
    batchTokens: 64,
    chunkTokens: Infinity,
    maxPrefills: Infinity,
    maxSeqs: 8,
    maxWaiting: 1000,
    contextLength: 256,
    vocabSize: 1000,
    eosTokenIds: [2],
    plain: plainTokens,
    ...options,
  };
}

/** What a test asks for; the rest is greedy, eight tokens. */
export type Ask = Partial<Omit<EngineRequest, "tokens" | "sampling" | "stop">> & {
  readonly stream: number;
  readonly tokens: readonly number[];
  readonly sampling?: Partial<EngineRequest["sampling"]>;
  readonly stop?: Partial<EngineRequest["stop"]>;
};

/** A request with every field. */
export function requestOf(ask: Ask): EngineRequest {
  return {
    key: { requestId: "0".repeat(32) as RequestId, attempt: 0, leg: 0 },
    emitted: 0,
    choice: 0,
    tenantSalt: "",
    adapter: "",
    priority: 0,
    ...ask,
    tokens: Uint32Array.from(ask.tokens),
    sampling: {
      ...greedySampling,
      seedHi: 1,
      seedLo: 2,
      ...ask.sampling,
    },
    stop: { maxTokens: 8, minTokens: 0, stopTokenIds: [], ignoreEos: false, ...ask.stop },
  };
}

/** `length` tokens, others for every salt. */
export function promptOf(length: number, salt = 0): number[] {
  return Array.from({ length }, (_, i) => 10 + (Math.imul(i + 1 + salt * 977, 0x9e3779b1) >>> 24));
}

/** What one stream said. */
export interface Said {
  readonly tokens: number[];
  cached: { device: number; host: number; disk: number } | undefined;
  ends: string[];
}

/** A scheduler with its books checked at every step, and what its streams said. */
export class Rig {
  readonly scheduler: SimScheduler;
  readonly said = new Map<number, Said>();
  /** Hash and parent of every block that the events say is there. */
  readonly blocks = new Map<number, string>();
  steps = 0;

  constructor(options: Partial<SchedulerOptions> = {}) {
    this.scheduler = new SimScheduler(schedulerOptions(options));
  }

  submit(ask: Ask): string {
    const refused = this.scheduler.submit(requestOf(ask));
    if (refused === undefined) {
      this.said.set(ask.stream, { tokens: [], cached: undefined, ends: [] });
    }
    return refused?.code ?? "taken";
  }

  of(stream: number): Said {
    return this.said.get(stream)!;
  }

  /** One step; `between` runs while its time passes. */
  step(between: () => void = () => {}) {
    const shape = { ...this.scheduler.plan() };
    this.scheduler.checkIntegrity();
    between();
    for (const { stream, firstIndex, tokens, extra } of this.scheduler.commit()) {
      const said = this.of(stream);
      if (said.ends.length > 0) throw new Error(`stream ${stream} speaks after its end`);
      if (firstIndex !== said.tokens.length) throw new Error(`stream ${stream} skips an index`);
      said.tokens.push(...tokens);
      if (extra?.cached !== undefined) {
        if (said.cached !== undefined) throw new Error("cached counts are said twice");
        said.cached = extra.cached;
      }
      if (extra?.end !== undefined) said.ends.push(extra.end.reason);
    }
    replay(this.blocks, this.scheduler.takeEvents());
    this.scheduler.checkIntegrity();
    this.steps += 1;
    return shape;
  }

  /** Steps until no stream is live. */
  finish(): void {
    for (let i = 0; this.scheduler.live > 0; i++) {
      if (i > 100_000) throw new Error("the streams do not end");
      this.step();
    }
  }

  /** The blocks of a snapshot, as `blocks` has them. */
  snapshot(): ReadonlyMap<number, string> {
    const blocks = new Map<number, string>();
    replay(blocks, this.scheduler.snapshot());
    return blocks;
  }
}

/** Applies events as a router does, and throws where they break the protocol. */
export function replay(blocks: Map<number, string>, events: readonly KvEvent[]): void {
  for (const event of events) {
    if (event.op === "cleared") blocks.clear();
    else if (event.op === "removed") {
      for (const number of event.numbers) {
        if (!blocks.delete(number)) throw new Error(`block ${number} is removed twice`);
      }
    } else {
      let parent = event.parent;
      event.numbers.forEach((number, i) => {
        if (number === 0 || blocks.has(number)) throw new Error(`block ${number} is stored twice`);
        if (parent !== 0 && !blocks.has(parent)) throw new Error(`parent ${parent} is not there`);
        blocks.set(number, `${event.hi[i]},${event.lo[i]},${parent}`);
        parent = number;
      });
    }
  }
}
