import assert from "node:assert/strict";
import { greedySampling } from "@pixii/wire";
import type { EntryExtra, KvEvent, RequestId } from "@pixii/wire";
import type { Engine, EngineRequest, StepBatch } from "./engine.ts";

/** Everything a stream said. */
export interface Heard {
  readonly tokens: number[];
  readonly firstIndex: number | undefined;
  readonly cached: EntryExtra["cached"];
  readonly end: EntryExtra["end"];
  /** Step of its end. */
  readonly endStep: number;
  /** Step of its first token. */
  readonly firstStep: number;
}

/** A request, filled in where it says nothing. */
export type Ask = Partial<Omit<EngineRequest, "tokens" | "sampling" | "stop">> & {
  readonly tokens: readonly number[];
  readonly sampling?: Partial<EngineRequest["sampling"]>;
  readonly stop?: Partial<EngineRequest["stop"]>;
};

/** The one consumer of an engine's steps, with every rule of the interface checked on the way. */
export class EngineListener implements AsyncDisposable {
  readonly engine: Engine;
  readonly #heard = new Map<number, Heard>();
  /** Numbers, hashes and parents of the blocks held, after each step that changed them. */
  readonly #blocks = new Map<number, string>();
  readonly #history: { readonly step: number; readonly blocks: ReadonlyMap<number, string> }[] = [];
  readonly #waiting = new Set<() => void>();
  readonly ended: Promise<void>;
  #nextStream = 1;
  #step = 0;
  error: unknown;

  constructor(engine: Engine) {
    this.engine = engine;
    this.ended = this.#listen();
  }

  submit(ask: Ask) {
    const stream = ask.stream ?? this.#nextStream++;
    const taken = this.engine.submit({
      stream,
      key: { requestId: "0".repeat(32) as RequestId, attempt: 0, leg: 0 },
      emitted: 0,
      choice: 0,
      tenantSalt: "",
      adapter: "",
      priority: 0,
      ...ask,
      tokens: Uint32Array.from(ask.tokens),
      sampling: { ...greedy, ...ask.sampling },
      stop: { maxTokens: 8, minTokens: 0, stopTokenIds: [], ignoreEos: true, ...ask.stop },
    });
    return { stream, taken };
  }

  /** Submits and hears the stream to its end. */
  async run(ask: Ask): Promise<Heard & { readonly end: NonNullable<Heard["end"]> }> {
    const { stream, taken } = this.submit(ask);
    assert.ok(taken.ok, JSON.stringify(taken));
    return await this.end(stream);
  }

  heard(stream: number): Heard | undefined {
    return this.#heard.get(stream);
  }

  /** Waits for a condition, looked at after every step. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.error !== undefined) throw this.error;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async end(stream: number): Promise<Heard & { readonly end: NonNullable<Heard["end"]> }> {
    await this.until(() => this.heard(stream)?.end !== undefined);
    const heard = this.heard(stream)!;
    return { ...heard, end: heard.end! };
  }

  /** The blocks held after a step. */
  blocksAfter(step: number): ReadonlyMap<number, string> {
    return this.#history.findLast((one) => one.step <= step)?.blocks ?? new Map();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    await this.ended;
    if (this.error !== undefined) throw this.error;
  }

  async #listen(): Promise<void> {
    try {
      for await (const batch of this.engine.steps()) {
        this.#take(batch);
        this.#wake();
      }
    } catch (error) {
      this.error = error;
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #take(batch: StepBatch): void {
    assert.ok(batch.step > this.#step, `step ${batch.step} follows ${this.#step}`);
    this.#step = batch.step;
    for (const output of batch.outputs) {
      const known = this.#heard.get(output.stream);
      // A handle is free after its end: what follows is another stream's.
      const before = known?.end === undefined ? known : undefined;
      const said = before?.tokens ?? [];
      const first = before?.firstIndex ?? output.firstIndex;
      assert.equal(output.firstIndex, first + said.length, "output indexes follow one another");
      this.#heard.set(output.stream, {
        tokens: [...said, ...output.tokens],
        firstIndex: first,
        cached: before?.cached ?? output.extra?.cached,
        end: output.extra?.end,
        endStep: batch.step,
        firstStep: said.length > 0 ? before!.firstStep : batch.step,
      });
      const heard = this.#heard.get(output.stream)!;
      if (heard.end === undefined) continue;
      assert.equal(heard.end.outputTokens, first + heard.tokens.length, "all output is counted");
    }
    replayBlocks(this.#blocks, batch.kvEvents);
    if (batch.kvEvents.length > 0) {
      this.#history.push({ step: batch.step, blocks: new Map(this.#blocks) });
    }
  }
}

/** Applies KV events as a router does, and checks that they follow the protocol. */
export function replayBlocks(blocks: Map<number, string>, events: readonly KvEvent[]): void {
  for (const event of events) {
    if (event.op === "cleared") blocks.clear();
    else if (event.op === "removed") {
      for (const number of event.numbers) assert.ok(blocks.delete(number), "removed twice");
    } else {
      let parent = event.parent;
      event.numbers.forEach((number, i) => {
        assert.ok(number > 0 && !blocks.has(number), `block ${number} is stored twice`);
        assert.ok(parent === 0 || blocks.has(parent), `parent ${parent} is not there`);
        blocks.set(number, `${event.hi[i]},${event.lo[i]},${parent}`);
        parent = number;
      });
    }
  }
}

const greedy: EngineRequest["sampling"] = {
  ...greedySampling,
  seedHi: 1,
  seedLo: 2,
};
