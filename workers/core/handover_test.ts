import assert from "node:assert/strict";
import fc from "fast-check";
import { comingPage, fail, greedySampling, routeHashes, tailHash } from "@pixii/wire";
import type { Handover, RequestId } from "@pixii/wire";
import type { EngineRequest } from "../engine.ts";
import type { HostRun } from "../kv_store/kv_store.ts";
import { Batcher } from "./batcher.ts";
import { computePrefill, EventReplay, FakeCache } from "./fake_cache_testing.ts";
import type { GivePlan } from "./give_plan.ts";
import { KvMap } from "./kv_map.ts";
import { plainLogits, plainOutput, plainVocabSize } from "./plain_model_testing.ts";

const blockSize = 4;
const contextLength = 40;
const requestId = "0".repeat(32) as RequestId;

/** One worker: the engine's step around a batcher. */
class Worker {
  readonly cache = new FakeCache(64);
  readonly router = new EventReplay();
  readonly said = new Map<number, number[]>();
  readonly ended = new Map<number, string>();
  readonly released: number[] = [];
  readonly given: GivePlan[] = [];
  readonly batcher: Batcher;
  /** What a planned block is worth: a token for tails, nothing where it is damaged. */
  restore: (host: number) => { readonly token?: number } | undefined = () => ({});
  /** False while there are no slots to give into. */
  mayGive = true;

  constructor() {
    const limits = {
      ...{ maxSeqs: 3, maxWaiting: 50, contextLength, vocabSize: plainVocabSize, blockSize },
      ...{ chunkBeside: 4, chunkAlone: 8, deterministic: false, eosTokenIds: [] },
    };
    this.batcher = new Batcher(limits, new KvMap({ slots: 5, cells: 64, blockSize }));
    this.batcher.kv.useHostTier(true);
  }

  #hostSlots = 0;

  submit(request: EngineRequest, run?: HostRun): void {
    assert.ok(this.batcher.submit(request, run).ok);
    this.said.set(request.stream, []);
  }

  step(): void {
    const { batcher, cache } = this;
    const decodes = batcher.planDecode();
    this.#apply();
    for (const one of decodes) cache.add(one.slot!, one.tokens.length - 1, one.tokens.at(-1)!);
    for (const one of decodes) batcher.decoded(one, plainLogits(cache.tokens(one.slot!)));
    const hasRoom = batcher.makeRoom(Infinity);
    this.#apply();
    if (hasRoom) {
      this.#restore();
      computePrefill(this.batcher, this.cache, { apply: () => this.#apply() });
    }
    for (let plan = batcher.planGive(); plan && this.mayGive; plan = batcher.planGive()) {
      const held = cache.tokens(plan.slot).slice(plan.block.index * blockSize);
      const { length } = plan.block.tokens;
      assert.deepEqual(held.slice(0, length), [...plan.block.tokens], "a block is given whole");
      this.given.push(plan);
      batcher.gave(plan, ++this.#hostSlots);
      this.#apply();
    }
    batcher.kv.trim(Infinity);
    this.settle();
  }

  settle(): void {
    this.#apply();
    for (const { stream, firstIndex, tokens, extra } of this.batcher.takeOutputs()) {
      const said = this.said.get(stream)!;
      if (tokens.length > 0) assert.equal(firstIndex, said.length, "a gap or a repetition");
      said.push(...tokens);
      if (extra?.end !== undefined) this.ended.set(stream, extra.end.reason);
    }
    this.router.apply(this.batcher.kv.takeEvents());
    this.released.push(...this.batcher.takeReleased().map(({ lease }) => lease));
    this.batcher.checkIntegrity();
    assert.deepEqual(this.router.blocks, EventReplay.of(this.batcher.kv.snapshot()));
  }

  #restore(): void {
    for (let plan = this.batcher.planRestore(); plan; plan = this.batcher.planRestore()) {
      this.#apply();
      const worth = this.restore(plan.host);
      if (worth !== undefined) {
        const start = plan.index * blockSize;
        plan.tokens.forEach((token, i) => this.cache.add(plan.slot, start + i, token));
      }
      this.batcher.restored(plan, worth && { decoded: false, token: worth.token });
    }
  }

  #apply(): void {
    this.cache.apply(this.batcher.kv.takeOps());
    this.cache.offloaded.length = 0;
  }
}

function requestOf(
  tokens: readonly number[],
  { stream, part, maxTokens = 5 }: {
    readonly stream: number;
    readonly part?: Handover["part"];
    readonly maxTokens?: number;
  },
): EngineRequest {
  return {
    ...{ stream, tokens: Uint32Array.from(tokens), emitted: 0, choice: 0, tenantSalt: "" },
    ...{ adapter: "", priority: 0, sampling: greedySampling },
    key: { requestId, attempt: stream, leg: part === "give" ? 1 : 0 },
    stop: { maxTokens, minTokens: 0, stopTokenIds: [], ignoreEos: true },
    ...(part === undefined ? undefined : { handover: { part } }),
  };
}

/** A question for all blocks of a prompt and its tail: all of them are on their way. */
function awaited(tokens: readonly number[], lease: number): HostRun {
  const count = Math.floor((tokens.length - 1) / blockSize) + 1;
  return {
    ...{ generation: 1, lease, slots: new Uint32Array(count) },
    ...{ pages: new Uint32Array(count).fill(comingPage), came: new Uint8Array(count).fill(1) },
    tail: tailHash({ requestId, attempt: lease, leg: 0 }, 0),
  };
}

/** One hand-over between two workers; `draw(n)` is a number below n. Returns what came of it. */
function handOver(tokens: readonly number[], draw: (n: number) => number, act: number) {
  const giver = new Worker();
  const taker = new Worker();
  const maxTokens = 2 + draw(5);
  const plain = requestOf(tokens.toReversed(), { stream: 2, maxTokens: 6 });
  taker.submit(plain);
  const taking = requestOf(tokens, { stream: 1, part: "take", maxTokens });
  const giving = requestOf(tokens, { stream: 1, part: "give", maxTokens });
  const run = awaited(tokens, 1);
  giver.submit(giving);
  taker.submit(taking, run);
  /** By host slot: what the tier holds. */
  const held: (GivePlan | undefined)[] = [undefined];
  taker.restore = (host) => {
    const { handover } = held[host]!;
    return act === 1 && draw(4) === 0 ? undefined : { token: handover?.token };
  };
  const expected = plainOutput(taking, contextLength);
  let told = 0;
  let isLost = false;
  const word = (position: number, slot: number) =>
    taker.batcher.landed([{ lease: 1, position, slot, page: slot }]);
  for (let steps = 0; !(taker.ended.has(1) && taker.ended.has(2)); steps++) {
    assert.ok(steps < 500, "still busy");
    if (!giver.batcher.idle) {
      giver.mayGive = draw(3) > 0;
      giver.step();
    }
    if (act === 2 && draw(6) === 0) giver.batcher.cancel(1);
    while (told < giver.given.length && draw(3) > 0 && !isLost) {
      const plan = giver.given[told++];
      held.push(plan);
      word(plan.block.index, held.length - 1);
    }
    const isStuck = giver.batcher.idle && told === giver.given.length;
    if (act === 3 && draw(8) === 0 || isStuck) isLost = true;
    if (isLost) run.slots.forEach((slot, position) => slot === 0 && word(position, 0));
    if (act === 4 && draw(10) === 0) taker.batcher.cancel(1);
    if (act === 5 && draw(10) === 0) taker.batcher.forgetHost();
    if (!taker.batcher.idle) taker.step();
  }
  for (const worker of [giver, taker]) {
    worker.batcher.cancel(1);
    for (let i = 0; !worker.batcher.idle; i++) {
      assert.ok(i < 50, "never idle");
      worker.step();
    }
    worker.settle();
  }
  const said = taker.said.get(1)!;
  assert.deepEqual(said, expected.slice(0, said.length));
  assert.deepEqual(taker.said.get(2), plainOutput(plain, contextLength));
  if (act !== 4) assert.equal(said.length, expected.length);
  assert.deepEqual(giver.said.get(1), expected.slice(0, giver.said.get(1)!.length));
  // The pool's end took the leases with it.
  if (act !== 5) assert.deepEqual(taker.released, [1], "the lease ends once");
  return { giver, taker };
}

Deno.test("a hand-over says what one worker says, whatever lands, is lost, damaged or cancelled", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(plainVocabSize - 1), { minLength: 1, maxLength: 30 }),
      fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
      fc.nat(5),
      (tokens, numbers, act) => {
        let at = 0;
        handOver(tokens, (n) => numbers[at++ % numbers.length] % n, act);
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("without a fault nothing is computed twice: all blocks and the tail, once, in order", () => {
  for (const length of [1, 3, 4, 5, 8, 23]) {
    const tokens = Array.from({ length }, (_, i) => i * 5 % plainVocabSize);
    const { giver, taker } = handOver(tokens, (n) => n - 1, 0);
    const whole = Math.floor((length - 1) / blockSize);
    const indexes = giver.given.map(({ block }) => block.index);
    assert.deepEqual(indexes, Array.from({ length: whole + 1 }, (_, i) => i));
    const tail = giver.given.at(-1)!;
    assert.deepEqual([...tail.block.tokens], tokens.slice(whole * blockSize));
    assert.equal(tail.handover!.token, taker.said.get(1)![0]);
    assert.equal(giver.ended.get(1), "length");
    assert.deepEqual(giver.said.get(1), [taker.said.get(1)![0]]);
    const { hi, lo } = routeHashes(tokens, { blockSize, maxBlocks: whole });
    for (let i = 0; i < whole; i++) {
      assert.deepEqual([giver.given[i].block.hi, giver.given[i].block.lo], [hi[i], lo[i]]);
    }
  }
});

Deno.test("a prompt that waits for its blocks holds up nobody, and an engine with nothing else to do rests", () => {
  const taker = new Worker();
  const tokens = Array.from({ length: 12 }, (_, i) => i % plainVocabSize);
  taker.submit(requestOf(tokens, { stream: 1, part: "take" }), awaited(tokens, 1));
  taker.submit(requestOf([1, 2, 3], { stream: 2 }));
  for (let i = 0; i < 20 && !taker.batcher.idle; i++) taker.step();
  assert.equal(taker.ended.get(2), "length");
  assert.ok(taker.batcher.idle && !taker.ended.has(1));
  assert.deepEqual(taker.batcher.counts(), { running: 1, waiting: 0, prefillTokens: 0 });
  taker.batcher.landed([0, 1, 2].map((position) => ({ lease: 1, position, slot: 0, page: 0 })));
  assert.ok(!taker.batcher.idle, "what is lost is computed");
});

Deno.test("a giver that cannot write ends with the error it is told, after its first token", () => {
  const giver = new Worker();
  giver.mayGive = false;
  giver.submit(requestOf([1, 2, 3, 4, 5, 6], { stream: 1, part: "give" }));
  for (let i = 0; i < 5; i++) giver.step();
  assert.ok(!giver.batcher.idle && !giver.batcher.isComputing);
  giver.batcher.gave(giver.batcher.planGive()!, fail("overloaded", "no room").error);
  giver.settle();
  assert.equal(giver.ended.get(1), "error");
  assert.equal(giver.said.get(1)!.length, 1);
  assert.ok(giver.batcher.idle);
});
