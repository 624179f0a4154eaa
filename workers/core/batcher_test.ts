import assert from "node:assert/strict";
import fc from "fast-check";
import { fail, greedySampling } from "@pixii/wire";
import type { EntryExtra, RequestId, Sampling } from "@pixii/wire";
import type { EngineRequest, StepOutput } from "../engine.ts";
import { Batcher } from "./batcher.ts";
import type { PrefillChunk } from "./batcher.ts";
import type { BatcherLimits } from "./batcher_limits.ts";
import { EventReplay, FakeCache } from "./fake_cache_testing.ts";
import { KvMap } from "./kv_map.ts";
import { TokenSampler } from "./sampler.ts";
import type { Sequence } from "./sequence.ts";

const vocabSize = 12;
const eos = 0;
const greedy: Sampling = {
  ...greedySampling,
  seedHi: 0,
  seedLo: 1,
};
const defaults: BatcherLimits = {
  maxSeqs: 3,
  maxWaiting: 8,
  contextLength: 32,
  vocabSize,
  blockSize: 4,
  chunkBeside: 4,
  chunkAlone: 8,
  deterministic: false,
  eosTokenIds: [eos],
};

interface Ask {
  readonly stream: number;
  readonly tokens: readonly number[];
  readonly emitted?: number;
  readonly choice?: number;
  readonly sampling?: Partial<Sampling>;
  readonly stop?: Partial<EngineRequest["stop"]>;
  readonly tenantSalt?: string;
  readonly priority?: number;
}

function requestOf(ask: Ask): EngineRequest {
  return {
    stream: ask.stream,
    key: { requestId: "0".repeat(32) as RequestId, attempt: 0, leg: 0 },
    tokens: Uint32Array.from(ask.tokens),
    emitted: ask.emitted ?? 0,
    choice: ask.choice ?? 0,
    sampling: { ...greedy, ...ask.sampling },
    stop: { maxTokens: 6, minTokens: 0, stopTokenIds: [], ignoreEos: false, ...ask.stop },
    tenantSalt: ask.tenantSalt ?? "",
    adapter: "",
    priority: ask.priority ?? 0,
  };
}

/** A model: its logits depend on every token before, so a wrong cache shows in the output. */
function logitsOf(tokens: readonly number[]): Float32Array {
  let hash = 17;
  for (const token of tokens) hash = Math.imul(hash ^ token, 0x01000193) >>> 0;
  return Float32Array.from(
    { length: vocabSize },
    (_, id) => (Math.imul(hash ^ (id * 0x9e3779b1), 0x85ebca6b) >>> 8) / 2 ** 22,
  );
}

/** What the stream must say: one token after the other, no batch, no cache. */
function expected(
  request: EngineRequest,
  contextLength: number,
): { tokens: number[]; end: string } {
  const tokens = [...request.tokens];
  const said: number[] = [];
  const prompt = tokens.length - request.emitted;
  const sampler = new TokenSampler(request.sampling, request.choice, {
    prompt: tokens.slice(0, prompt),
    output: tokens.slice(prompt),
  });
  while (true) {
    const index = request.emitted + said.length;
    const banned = index < request.stop.minTokens ? [eos, ...request.stop.stopTokenIds] : undefined;
    const { token } = sampler.sample(logitsOf(tokens), { index, banned })!;
    const stops = (token === eos && !request.stop.ignoreEos) ||
      request.stop.stopTokenIds.includes(token);
    if (stops) return { tokens: said, end: "stop" };
    tokens.push(token);
    said.push(token);
    if (index + 1 >= request.stop.maxTokens || tokens.length >= contextLength) {
      return { tokens: said, end: "length" };
    }
  }
}

interface Heard {
  readonly tokens: number[];
  readonly ends: NonNullable<EntryExtra["end"]>[];
  cached: number | undefined;
}

/** An engine without a model around a batcher, with every rule checked on the way. */
class Rig {
  readonly limits: BatcherLimits;
  readonly batcher: Batcher;
  readonly cache: FakeCache;
  readonly router = new EventReplay();
  readonly heard = new Map<number, Heard>();
  readonly chunks: PrefillChunk[] = [];
  /** "d" per decode call and "p" per prefill call. */
  calls = "";
  /** Streams whose logits are NaN. */
  readonly broken = new Set<number>();
  /** Next answers of the engine, 0 where empty. */
  readonly codes: number[] = [];
  /** Streams that need not end by themselves. */
  readonly mayFail = new Set<number>();

  constructor(limits: Partial<BatcherLimits> = {}, cells = 64, spare = 3) {
    this.limits = { ...defaults, ...limits };
    const { blockSize, maxSeqs } = this.limits;
    this.cache = new FakeCache(cells);
    this.batcher = new Batcher(
      this.limits,
      new KvMap({ slots: maxSeqs + spare, cells, blockSize }),
    );
  }

  submit(ask: Ask) {
    const request = requestOf(ask);
    const taken = this.batcher.submit(request);
    if (taken.ok) this.heard.set(ask.stream, { tokens: [], ends: [], cached: undefined });
    return { request, taken };
  }

  step(): void {
    this.#decode();
    this.#prefill();
    this.settle();
  }

  settle(): void {
    this.cache.apply(this.batcher.kv.takeOps());
    this.batcher.takeOutputs().forEach((output) => this.#hear(output));
    this.router.apply(this.batcher.kv.takeEvents());
    this.batcher.checkIntegrity();
    assert.deepEqual(this.router.blocks, EventReplay.of(this.batcher.kv.snapshot()));
  }

  /** Steps until nothing is left to do. */
  finish(mostSteps = 1000): void {
    let steps = 0;
    while (!this.batcher.idle) {
      assert.ok(steps++ < mostSteps, `still busy after ${mostSteps} steps`);
      this.step();
    }
  }

  #decode(): void {
    const sequences = this.batcher.planDecode();
    this.cache.apply(this.batcher.kv.takeOps());
    if (sequences.length === 0) return;
    this.calls += "d";
    if (!this.#computes(sequences)) return;
    for (const one of sequences) {
      const at = one.tokens.length - 1;
      this.cache.add(one.slot!, at, one.tokens[at]);
    }
    for (const one of sequences) this.batcher.decoded(one, this.#logits(one));
  }

  #prefill(): void {
    const chunk = this.batcher.planPrefill();
    this.cache.apply(this.batcher.kv.takeOps());
    if (chunk === undefined) return;
    this.calls += "p";
    this.#checkChunk(chunk);
    if (!this.#computes([chunk.sequence])) return;
    const { sequence, start, end } = chunk;
    for (let at = start; at < end; at++) this.cache.add(sequence.slot!, at, sequence.tokens[at]);
    this.batcher.prefilled(chunk, { logits: chunk.last ? this.#logits(sequence) : undefined });
  }

  #checkChunk(chunk: PrefillChunk): void {
    const { blockSize, chunkAlone } = this.limits;
    this.chunks.push(chunk);
    assert.equal(chunk.start % blockSize, 0, "chunks start on the grid");
    assert.ok(chunk.end > chunk.start);
    if (!chunk.last) assert.equal(chunk.end % blockSize, 0, "only the last may end off the grid");
    const size = chunk.end - chunk.start;
    if (size > blockSize) assert.equal(size % blockSize, 0, "a tail is a chunk of its own");
    assert.ok(size <= chunkAlone);
  }

  #computes(sequences: readonly Sequence[]): boolean {
    const code = this.codes.shift() ?? 0;
    if (code === 0) return true;
    if (code < 0) { for (const one of sequences) this.mayFail.add(one.request.stream); }
    if (code === 1) this.batcher.squeeze();
    else this.batcher.failed(sequences, fail("engine_failed", "Cannot compute: a test").error);
    return false;
  }

  #logits(sequence: Sequence): Float32Array {
    if (this.broken.has(sequence.request.stream)) return new Float32Array(vocabSize).fill(NaN);
    return logitsOf(this.cache.tokens(sequence.slot!));
  }

  #hear(output: StepOutput): void {
    const heard = this.heard.get(output.stream)!;
    assert.equal(heard.ends.length, 0, `stream ${output.stream} goes on after its end`);
    heard.tokens.push(...output.tokens);
    if (output.extra?.cached !== undefined) {
      assert.equal(heard.cached, undefined, "the cached count is said once");
      heard.cached = output.extra.cached.device;
    }
    if (output.extra?.end !== undefined) heard.ends.push(output.extra.end);
  }
}

const ask = fc.record({
  tokens: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 30 }),
  sampling: fc.record({ temperature: fc.constantFrom(0, 1), seedLo: fc.nat(3) }),
  stop: fc.record({
    maxTokens: fc.integer({ min: 1, max: 12 }),
    minTokens: fc.nat(3),
    ignoreEos: fc.boolean(),
    stopTokenIds: fc.constantFrom<number[][]>([], [3]),
  }),
  tenantSalt: fc.constantFrom("", "a"),
  priority: fc.constantFrom(0, 0, 1),
  choice: fc.nat(1),
});
const command = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant("submit" as const), ask }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("cancel" as const), at: fc.nat(6) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("step" as const), steps: fc.nat(4) }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("code" as const), code: fc.constantFrom(1, -1) }),
  },
);

Deno.test("Batcher says what a loop without batch and cache says, whatever is submitted and cancelled", () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 30 }),
      fc.record({
        maxSeqs: fc.integer({ min: 1, max: 4 }),
        deterministic: fc.boolean(),
        cells: fc.constantFrom(32, 40, 64, 200),
        spare: fc.nat(3),
      }),
      (commands, { cells, spare, ...limits }) => {
        const rig = new Rig(limits, cells, spare);
        const requests = new Map<number, EngineRequest>();
        const { mayFail } = rig;
        for (const one of commands) {
          if (one.op === "submit") {
            const stream = requests.size + 1;
            const { request, taken } = rig.submit({ stream, ...one.ask });
            if (taken.ok) requests.set(stream, request);
          } else if (one.op === "cancel") {
            if (requests.has(one.at)) mayFail.add(one.at);
            rig.batcher.cancel(one.at);
            rig.settle();
          } else if (one.op === "code") {
            rig.codes.push(one.code);
            if (one.code < 0) { for (const stream of requests.keys()) mayFail.add(stream); }
          } else for (let i = 0; i < one.steps; i++) rig.step();
        }
        rig.codes.length = 0;
        rig.finish();
        for (const [stream, request] of requests) {
          const heard = rig.heard.get(stream)!;
          assert.equal(heard.ends.length, 1, `stream ${stream} ends once`);
          const [end] = heard.ends;
          assert.equal(end.outputTokens, request.emitted + heard.tokens.length);
          const want = expected(request, rig.limits.contextLength);
          const complete = end.reason === "stop" || end.reason === "length";
          if (complete) assert.deepEqual({ tokens: heard.tokens, end: end.reason }, want);
          else {
            assert.ok(mayFail.has(stream), `stream ${stream} ended with ${end.reason}`);
            assert.deepEqual(heard.tokens, want.tokens.slice(0, heard.tokens.length));
          }
          const most = Math.floor((request.tokens.length - 1) / 4) * 4;
          assert.ok(heard.cached !== undefined && heard.cached <= most && heard.cached % 4 === 0);
        }
        rig.batcher.kv.reclaim(Infinity);
        rig.settle();
        assert.equal(rig.cache.used, 0, "nothing is leaked");
      },
    ),
    { numRuns: 1500 },
  );
});

Deno.test("Batcher lets decodes go on between the chunks of a long prompt", () => {
  const rig = new Rig({ contextLength: 64 }, 256);
  rig.submit({ stream: 1, tokens: [1], stop: { maxTokens: 40, ignoreEos: true } });
  rig.step();
  rig.submit({ stream: 2, tokens: Array(23).fill(1), stop: { maxTokens: 2, ignoreEos: true } });
  rig.calls = "";
  for (let i = 0; i < 6; i++) rig.step();
  assert.equal(rig.calls, "dpdpdpdpdpdp");
  assert.deepEqual(rig.chunks.slice(1).map(({ start, end }) => [start, end]), [
    [0, 4],
    [4, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 23],
  ]);
});

Deno.test("Batcher takes larger chunks alone, and the tail as a call of its own", () => {
  const rig = new Rig();
  rig.submit({ stream: 1, tokens: Array(22).fill(1), stop: { maxTokens: 1 } });
  rig.finish();
  assert.deepEqual(rig.chunks.map(({ start, end, last }) => [start, end, last]), [
    [0, 8, false],
    [8, 16, false],
    [16, 20, false],
    [20, 22, true],
  ]);
});

Deno.test("Batcher reuses whole blocks of live and of finished streams, at most floor((n-1)/blockSize)", () => {
  const rig = new Rig({}, 200);
  const tokens = [1, 2, 3, 4, 5, 6, 7, 8];
  rig.submit({ stream: 1, tokens, stop: { maxTokens: 9, ignoreEos: true } });
  rig.submit({ stream: 2, tokens, stop: { maxTokens: 2, ignoreEos: true } });
  rig.finish();
  rig.submit({ stream: 3, tokens: [...tokens, 9], stop: { maxTokens: 1 } });
  rig.submit({ stream: 4, tokens, tenantSalt: "other", stop: { maxTokens: 1 } });
  rig.finish();
  assert.deepEqual([1, 2, 3, 4].map((stream) => rig.heard.get(stream)!.cached), [0, 4, 8, 0]);
});

Deno.test("Batcher reuses what decode computed, unless it is deterministic", () => {
  for (const deterministic of [false, true]) {
    const rig = new Rig({ deterministic }, 200);
    const tokens = [1, 2, 3, 4, 5];
    rig.submit({ stream: 1, tokens, stop: { maxTokens: 9, ignoreEos: true } });
    rig.finish();
    const all = [...tokens, ...rig.heard.get(1)!.tokens];
    rig.submit({ stream: 2, tokens: all, stop: { maxTokens: 1 } });
    rig.finish();
    assert.equal(rig.heard.get(2)!.cached, deterministic ? 4 : 12);
  }
});

Deno.test("Batcher does not count a preempted stream's own blocks as found in the cache", () => {
  const rig = new Rig({ maxSeqs: 2, contextLength: 32 }, 32);
  rig.submit({ stream: 1, tokens: Array(12).fill(1), stop: { maxTokens: 15, ignoreEos: true } });
  rig.submit({ stream: 2, tokens: Array(12).fill(2), stop: { maxTokens: 15, ignoreEos: true } });
  rig.finish();
  assert.deepEqual([1, 2].map((stream) => rig.heard.get(stream)!.cached), [0, 0]);
  assert.ok(rig.chunks.filter((chunk) => chunk.sequence.request.stream === 2).length > 4, "it was");
});

Deno.test("Batcher preempts the last in rank, and the first goes on", () => {
  const rig = new Rig({ maxSeqs: 2 }, 32);
  const long = { maxTokens: 18, ignoreEos: true };
  rig.submit({ stream: 1, tokens: Array(8).fill(1), stop: long });
  rig.submit({ stream: 2, tokens: Array(8).fill(2), stop: long, priority: 1 });
  const order: number[] = [];
  while (!rig.batcher.idle) {
    rig.step();
    for (const [stream, heard] of rig.heard) {
      if (heard.ends.length > 0 && !order.includes(stream)) order.push(stream);
    }
  }
  assert.deepEqual(order, [2, 1]);
});

Deno.test("Batcher makes a prompt wait until it fits beside the running ones", () => {
  const rig = new Rig({ maxSeqs: 2 }, 32);
  rig.submit({ stream: 1, tokens: Array(14).fill(1), stop: { maxTokens: 4, ignoreEos: true } });
  rig.submit({ stream: 2, tokens: Array(20).fill(2), stop: { maxTokens: 1 } });
  for (let i = 0; i < 3; i++) rig.step();
  assert.deepEqual(rig.batcher.counts(), { running: 1, waiting: 1, prefillTokens: 20 });
  rig.finish();
  assert.ok(rig.chunks.every((chunk, i) => i === 0 || chunk.start > 0 || rig.calls !== ""));
  assert.equal(rig.heard.get(2)!.ends[0].reason, "length");
});

Deno.test("Batcher ends a stream whose logits are not finite, and only that one", () => {
  const rig = new Rig();
  rig.submit({ stream: 1, tokens: [1, 2], stop: { ignoreEos: true } });
  rig.submit({ stream: 2, tokens: [1, 3], stop: { ignoreEos: true } });
  for (let i = 0; i < 3; i++) rig.step();
  rig.broken.add(2);
  rig.finish();
  assert.equal(rig.heard.get(1)!.ends[0].reason, "length");
  assert.equal(rig.heard.get(2)!.ends[0].error?.code, "engine_failed");
  assert.match(rig.heard.get(2)!.ends[0].error!.message, /no finite logit/);
});

Deno.test("Batcher does not keep the blocks of a failed stream", () => {
  const rig = new Rig();
  rig.submit({ stream: 1, tokens: Array(9).fill(1), stop: { ignoreEos: true } });
  rig.broken.add(1);
  rig.finish();
  assert.equal(rig.router.blocks.size, 0);
});

Deno.test("Batcher cancels while waiting, in prefill and in decode, and keeps computed blocks", () => {
  const rig = new Rig({ maxSeqs: 2 });
  rig.submit({ stream: 1, tokens: Array(5).fill(1), stop: { ignoreEos: true } });
  rig.step();
  rig.step();
  rig.submit({ stream: 2, tokens: Array(20).fill(2) });
  rig.submit({ stream: 3, tokens: Array(20).fill(3) });
  rig.step();
  assert.deepEqual(rig.batcher.counts(), { running: 2, waiting: 1, prefillTokens: 36 });
  for (const stream of [1, 2, 3, 4]) rig.batcher.cancel(stream);
  rig.settle();
  assert.ok(rig.batcher.idle);
  for (const stream of [1, 2, 3]) {
    assert.deepEqual(rig.heard.get(stream)!.ends.map((end) => end.reason), ["cancelled"]);
  }
  assert.deepEqual(rig.batcher.kv.counts(), { active: 0, cached: 2 });
});

Deno.test("Batcher refuses what it cannot run, each with its code and before any work", () => {
  const rig = new Rig({ maxWaiting: 0, maxSeqs: 1 });
  const codeOf = (one: Ask) => {
    const { taken } = rig.submit(one);
    return taken.ok ? "ok" : taken.error.code;
  };
  assert.equal(codeOf({ stream: 1, tokens: [] }), "invalid_request");
  assert.equal(codeOf({ stream: 1, tokens: [1], emitted: 2 }), "invalid_request");
  assert.equal(codeOf({ stream: 1, tokens: Array(32).fill(1) }), "context_length_exceeded");
  assert.equal(codeOf({ stream: 1, tokens: [vocabSize] }), "invalid_request");
  const done = { stream: 1, tokens: [1, 2], emitted: 1, stop: { maxTokens: 1 } };
  assert.equal(codeOf(done), "invalid_request");
  assert.ok(rig.batcher.idle);
  assert.equal(codeOf({ stream: 1, tokens: Array(31).fill(1) }), "ok");
  assert.equal(codeOf({ stream: 1, tokens: [1] }), "invalid_request");
  assert.equal(codeOf({ stream: 2, tokens: [1] }), "overloaded");
  rig.finish();
  assert.equal(rig.heard.get(1)!.tokens.length, 1, "the context is full after one token");
});

Deno.test("Batcher ends every stream once when all fail", () => {
  const rig = new Rig();
  for (const stream of [1, 2, 3, 4, 5]) rig.submit({ stream, tokens: Array(9).fill(stream) });
  for (let i = 0; i < 5; i++) rig.step();
  rig.batcher.failAll(fail("draining", "Cannot finish: a test").error);
  rig.settle();
  for (const { ends } of rig.heard.values()) assert.equal(ends.length, 1);
  assert.ok(rig.batcher.idle);
  assert.equal(rig.router.blocks.size, 0);
});
