import assert from "node:assert/strict";
import fc from "fast-check";
import { comingPage } from "@pixii/wire";
import type { RequestId } from "@pixii/wire";
import type { EngineRequest } from "../engine.ts";
import type { HostRun } from "../kv_store/kv_store.ts";
import { Batcher } from "./batcher.ts";
import type { RestorePlan } from "./host_restore.ts";
import type { Sequence } from "./sequence.ts";
import { computePrefill, EventReplay, FakeCache } from "./fake_cache_testing.ts";
import { KvMap } from "./kv_map.ts";
import type { KvSalt } from "./kv_salt.ts";
import type { LeavingBlock } from "./leaving_block.ts";
import { leastEndTokens, promptEnd, promptKeys } from "./prompt_end.ts";
import { plainLogits, plainOutput, plainVocabSize } from "./plain_model_testing.ts";

const blockSize = 4;
const vocabSize = plainVocabSize;
const cells = 48;

interface Kept {
  readonly slot: number;
  readonly block: LeavingBlock;
  /** Of a prompt's end. */
  readonly row: Float32Array | undefined;
}

/** An end with three tokens does not fit, as with a real row beside a nearly whole block. */
const canKeep = (tail: number) => tail !== 3;

/** A host tier without memory: blocks by what they are. */
class FakeHost {
  readonly #kept = new Map<string, Kept>();
  readonly bySlot = new Map<number, Kept>();
  readonly open = new Map<number, HostRun>();
  #slots = 0;
  #leases = 0;

  /** The slot that holds it. */
  keep(block: LeavingBlock, row?: Float32Array): number {
    const key = keyOf(block.salt, block);
    const known = this.#kept.get(key);
    if (known !== undefined) return known.slot;
    const kept = { slot: ++this.#slots, block, row };
    this.#kept.set(key, kept);
    this.bySlot.set(kept.slot, kept);
    return kept.slot;
  }

  find(tokens: readonly number[], salt: KvSalt): HostRun | undefined {
    const { routes, end } = promptKeys(tokens, { blockSize, salt, canKeep });
    const keys = Array.from(routes.hi, (hi, i) => ({ hi, lo: routes.lo[i] }));
    if (end !== undefined) keys.push(end);
    const slots = Uint32Array.from(keys, (key) => this.#kept.get(keyOf(salt, key))?.slot ?? 0);
    if (slots.every((slot) => slot === 0)) return undefined;
    const run = { generation: 1, lease: ++this.#leases, slots, pages: slots.slice(), end };
    this.open.set(run.lease, run);
    return run;
  }

  /** Evicts all ends. */
  dropEnds(): void {
    for (const [key, { row }] of this.#kept) if (row !== undefined) this.#kept.delete(key);
  }

  /** Evicts the nth block; what a lease pins stays readable, as the real tier has it. */
  evict(n: number): number | undefined {
    const keys = [...this.#kept.keys()];
    if (keys.length === 0) return undefined;
    const key = keys[n % keys.length];
    const { slot } = this.#kept.get(key)!;
    this.#kept.delete(key);
    return slot;
  }
}

function keyOf(salt: KvSalt, { hi, lo }: { readonly hi: number; readonly lo: number }): string {
  return `${salt.tenantSalt}|${hi},${lo}`;
}

/** The engine's step around a batcher, with a host tier. `draw(n)` is a number below n. */
class Rig {
  readonly host = new FakeHost();
  readonly cache = new FakeCache(cells);
  readonly router = new EventReplay();
  readonly batcher: Batcher;
  readonly said = new Map<number, number[]>();
  readonly cached = new Map<number, { device: number; host: number }>();
  readonly requests: EngineRequest[] = [];
  readonly ended = new Set<number>();
  readonly #draw: (n: number) => number;
  readonly #deterministic: boolean;
  restored = 0;
  ends = 0;
  offered = 0;
  /** Whether blocks are kept while their prompt is in work. */
  keepsEarly = false;

  constructor(draw: (n: number) => number, deterministic = false) {
    this.#draw = draw;
    this.#deterministic = deterministic;
    const limits = {
      ...{ maxSeqs: 3, maxWaiting: 50, contextLength: 40, vocabSize, blockSize },
      ...{ chunkBeside: 4, chunkAlone: 8, deterministic, eosTokenIds: [] },
    };
    this.batcher = new Batcher(limits, new KvMap({ slots: 5, cells, blockSize }));
    this.batcher.kv.useHostTier(true);
  }

  submit(
    tokens: readonly number[],
    more: { maxTokens?: number; tenantSalt?: string } = {},
  ): number {
    const stream = this.requests.length + 1;
    const { maxTokens = 5, tenantSalt = "" } = more;
    const request: EngineRequest = {
      stream,
      key: { requestId: "0".repeat(32) as RequestId, attempt: 0, leg: 0 },
      tokens: Uint32Array.from(tokens),
      ...{ emitted: 0, choice: 0, tenantSalt, adapter: "", priority: 0 },
      sampling: {
        ...{ seedHi: 0, seedLo: 0, temperature: 0, topK: 0, topP: 1, minP: 0 },
        ...{ presencePenalty: 0, frequencyPenalty: 0, repetitionPenalty: 1 },
        ...{ logitBias: [], logprobs: -1 },
      },
      stop: { maxTokens, minTokens: 0, stopTokenIds: [], ignoreEos: true },
    };
    const run = this.host.find(tokens, { adapterDigest: "", tenantSalt });
    assert.ok(this.batcher.submit(request, run).ok);
    this.requests.push(request);
    this.said.set(stream, []);
    return stream;
  }

  step(): void {
    const decodes = this.batcher.planDecode();
    this.#apply();
    for (const one of decodes) {
      this.cache.add(one.slot!, one.tokens.length - 1, one.tokens.at(-1)!);
    }
    for (const one of decodes) {
      this.batcher.decoded(one, plainLogits(this.cache.tokens(one.slot!)));
    }
    const isRoom = this.batcher.makeRoom([0, 1, 2, Infinity][this.#draw(4)]);
    this.#apply();
    if (isRoom && this.#restore()) {
      computePrefill(this.batcher, this.cache, {
        apply: () => this.#apply(),
        computed: (sequence, row) => this.#keepEnd(sequence, row),
      });
    }
    if (this.keepsEarly) this.#keepEarly();
    this.#apply();
    this.batcher.kv.trim([0, 1, 2, Infinity][this.#draw(4)]);
    this.#settle();
  }

  finish(): void {
    for (let steps = 0; !this.batcher.idle || this.batcher.kv.hasTooMany; steps++) {
      assert.ok(steps < 2000, "still busy");
      this.step();
    }
  }

  /** Runs one prompt alone and says what came from where. */
  run(tokens: readonly number[], more: { maxTokens?: number; tenantSalt?: string } = {}) {
    const stream = this.submit(tokens, more);
    this.finish();
    return this.cached.get(stream)!;
  }

  check(): void {
    for (const request of this.requests) {
      if (!this.ended.has(request.stream)) continue;
      const said = this.said.get(request.stream)!;
      const wanted = plainOutput(request, 40).slice(0, said.length);
      assert.deepEqual(said, wanted, `stream ${request.stream}`);
    }
  }

  #restore(): boolean {
    for (let plan = this.batcher.planRestore(); plan; plan = this.batcher.planRestore()) {
      this.#apply();
      const { block, row } = this.host.bySlot.get(plan.host)!;
      assert.ok(this.host.open.has(plan.sequence.host!.lease), "the lease is over");
      assert.deepEqual([...block.tokens], plan.tokens);
      assert.deepEqual([block.hi, block.lo, block.index], [plan.hi, plan.lo, plan.index]);
      if (plan.index > 0) {
        assert.deepEqual([block.parentHi, block.parentLo], [plan.parentHi, plan.parentLo]);
      }
      const isRefused = this.#draw(10) === 0 || (this.#deterministic && block.decoded);
      if (!isRefused) {
        const start = plan.index * blockSize;
        plan.tokens.forEach((token, i) => this.cache.add(plan.slot, start + i, token));
        this.restored += 1;
      }
      assert.equal(row !== undefined, plan.end !== undefined);
      this.#mustBeBody(plan);
      if (plan.end !== undefined && !isRefused) this.ends += 1;
      // The row is written to when it is used.
      const how = { decoded: block.decoded, row: row?.slice() };
      this.batcher.restored(plan, isRefused ? undefined : how);
      if (this.#draw(3) === 0) return false;
    }
    return true;
  }

  /** The whole block that a prompt ends with has to be there as itself. */
  #mustBeBody({ end, tokens }: RestorePlan): void {
    assert.equal(end?.body !== undefined, end !== undefined && tokens.length === blockSize);
    if (end?.body === undefined) return;
    const { block, row } = this.host.bySlot.get(end.body.host)!;
    assert.equal(row, undefined);
    assert.deepEqual([...block.tokens], tokens);
    assert.deepEqual([block.hi, block.lo], [end.body.hi, end.body.lo]);
  }

  #keepEarly(): void {
    for (let plan = this.batcher.planKeep(); plan; plan = this.batcher.planKeep()) {
      if (this.#draw(4) === 0) return;
      const { slot, block } = plan;
      const held = this.cache.tokens(slot).slice(block.index * blockSize);
      assert.deepEqual(held.slice(0, blockSize), [...block.tokens]);
      assert.ok(!block.decoded || !this.#deterministic);
      this.batcher.kept(plan, this.host.keep(block));
    }
  }

  /** What the engine does with a prompt that it has just computed. */
  #keepEnd(sequence: Sequence, row: Float32Array): number | undefined {
    const kept = promptEnd(sequence, this.batcher.kv, { blockSize, canKeep });
    if (kept === undefined || this.#draw(8) === 0) return undefined;
    assert.ok(sequence.tokens.length >= leastEndTokens);
    this.host.keep(kept.end, row.slice());
    return kept.body && this.host.keep(kept.body);
  }

  #apply(): void {
    this.cache.apply(this.batcher.kv.takeOps());
    for (const block of this.cache.offloaded.splice(0)) {
      this.offered += 1;
      if (this.#draw(8) > 0) this.host.keep(block);
    }
  }

  #settle(): void {
    this.#apply();
    for (const { stream, tokens, extra } of this.batcher.takeOutputs()) {
      this.said.get(stream)!.push(...tokens);
      if (extra?.cached !== undefined) this.cached.set(stream, extra.cached);
      if (extra?.end !== undefined) this.ended.add(stream);
    }
    this.router.apply(this.batcher.kv.takeEvents());
    for (const run of this.batcher.takeReleased()) {
      assert.ok(this.host.open.delete(run.lease), "a lease ends twice");
    }
    this.batcher.checkIntegrity();
    assert.deepEqual(this.router.blocks, EventReplay.of(this.batcher.kv.snapshot()));
  }
}

Deno.test("what comes back from a host tier says what a loop without any cache says, whatever happens", () => {
  let [restored, ends] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          seed: fc.nat(3),
          // Some lengths more often, so that whole prompts come again.
          length: fc.oneof(fc.integer({ min: 1, max: 32 }), fc.constantFrom(18, 24)),
          maxTokens: fc.integer({ min: 1, max: 6 }),
          tenantSalt: fc.constantFrom("", "", "a"),
          steps: fc.nat(12),
          act: fc.nat(9),
        }),
        { minLength: 3, maxLength: 25 },
      ),
      fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
      fc.boolean(),
      (rounds, numbers, deterministic) => {
        let at = 0;
        const rig = new Rig((n) => numbers[at++ % numbers.length] % n, deterministic);
        rig.keepsEarly = numbers[0] % 2 === 0;
        for (const { seed, length, maxTokens, tenantSalt, steps, act } of rounds) {
          const tokens = Array.from({ length }, (_, i) => (seed * 5 + i * (seed + 1)) % vocabSize);
          const stream = rig.submit(tokens, { maxTokens, tenantSalt });
          for (let i = 0; i < steps; i++) rig.step();
          if (act === 0) rig.batcher.cancel(stream);
          const gone = act < 4 ? rig.host.evict(act * 7) : undefined;
          if (gone !== undefined) rig.batcher.kv.forgetHosted([gone]);
        }
        rig.finish();
        rig.check();
        assert.equal(rig.host.open.size, 0, "a lease is never released");
        assert.equal(rig.ended.size, rig.requests.length);
        restored += rig.restored;
        ends += rig.ends;
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(restored > 300, `only ${restored} blocks came back`);
  assert.ok(ends > 10, `only ${ends} ends came back`);
});

/** Rolls that neither refuse, drop nor delay anything. */
const calm = (n: number) => n - 1;
const promptOf = (first: number) => Array.from({ length: 30 }, (_, i) => (first + i) % vocabSize);

Deno.test("a prompt driven out comes back whole but for one token, counted as host", () => {
  const rig = new Rig(calm);
  assert.deepEqual(rig.run(promptOf(1)), { device: 0, host: 0, disk: 0 });
  rig.run(promptOf(2));
  rig.run(promptOf(3));
  assert.deepEqual(rig.run(promptOf(1)), { device: 0, host: 29, disk: 0 });
  rig.check();
});

Deno.test("a prompt that ends with a whole block comes back with it, and without its row not at all", () => {
  for (const hasEnd of [true, false]) {
    const rig = new Rig(calm);
    const prompts = [1, 2, 3].map((first) => promptOf(first).slice(0, 28));
    for (const prompt of prompts) rig.run(prompt);
    if (!hasEnd) rig.host.dropEnds();
    assert.deepEqual(rig.run(prompts[0]), { device: 0, host: hasEnd ? 27 : 24, disk: 0 });
    rig.check();
  }
});

Deno.test("a prompt's blocks on the device and its end in the host tier need no computing", () => {
  const rig = new Rig(calm);
  const stream = rig.submit(promptOf(1));
  for (let i = 0; i < 20 && rig.said.get(stream)!.length === 0; i++) rig.step();
  const { device, host } = rig.run(promptOf(1));
  assert.deepEqual([device, host], [28, 1]);
  assert.equal(rig.ends, 1);
  rig.check();
});

Deno.test("blocks of one tenant never come back for another", () => {
  const rig = new Rig(calm);
  for (const first of [1, 2, 3]) rig.run(promptOf(first), { tenantSalt: "a" });
  assert.deepEqual(rig.run(promptOf(1), { tenantSalt: "b" }), { device: 0, host: 0, disk: 0 });
  assert.equal(rig.run(promptOf(1), { tenantSalt: "a" }).host, 29);
});

Deno.test("a block that came back is not offered again while the tier has it, and is when it is gone", () => {
  const rig = new Rig(calm);
  for (const first of [1, 2, 3, 1, 2, 3]) rig.run(promptOf(first));
  rig.offered = 0;
  for (const first of [1, 2, 3]) rig.run(promptOf(first));
  // Of eight blocks each only the one that is computed anew, with the output in it.
  assert.equal(rig.offered, 3);
  rig.run(promptOf(1));
  for (let slot = rig.host.evict(0); slot !== undefined; slot = rig.host.evict(0)) {
    rig.batcher.kv.forgetHosted([slot]);
  }
  rig.offered = 0;
  rig.run(promptOf(4));
  rig.run(promptOf(5));
  assert.equal(rig.offered, 16, "all that two prompts drive out");
});

Deno.test("what a prompt has computed is kept while it goes on, and not offered when it leaves the device", () => {
  const rig = new Rig(calm);
  rig.keepsEarly = true;
  const stream = rig.submit(promptOf(1));
  for (let i = 0; i < 20 && rig.said.get(stream)!.length === 0; i++) rig.step();
  assert.ok(!rig.ended.has(stream));
  // Its seven whole blocks, and its end.
  assert.equal(rig.host.bySlot.size, 8);
  for (const first of [2, 3, 4]) rig.run(promptOf(first));
  assert.equal(rig.offered, 4, "the block with its answer, of each");
  assert.equal(rig.run(promptOf(1)).host, 29);
  rig.check();
});

Deno.test("a lost host tier makes waiting prompts compute, and is not offered anything", () => {
  const rig = new Rig(calm);
  for (const first of [1, 2, 3]) rig.run(promptOf(first));
  const stream = rig.submit(promptOf(1));
  rig.batcher.forgetHost();
  rig.batcher.kv.useHostTier(false);
  rig.host.open.clear();
  const slots = rig.host.bySlot.size;
  rig.finish();
  assert.equal(rig.cached.get(stream)!.host, 0);
  assert.equal(rig.host.bySlot.size, slots);
  rig.check();
});

Deno.test("kept prompts that are too many go bit by bit, and all of them to the host tier", () => {
  let turn = 0;
  // One block at a time, then none: as slots come in.
  const rig = new Rig((n) => n === 4 ? Number(turn++ % 3 === 0) : n - 1);
  for (let first = 0; first < 80; first++) {
    rig.run(Array.from({ length: 30 }, (_, i) => (first * 13 + i * (first + 3)) % vocabSize), {
      tenantSalt: `${first}`,
    });
  }
  assert.ok(rig.batcher.kv.counts().cached <= 2, `${rig.batcher.kv.counts().cached} are kept`);
  assert.ok(rig.offered >= 80 * 8 - 12, `${rig.offered} were offered`);
});

Deno.test("a prompt whose end is on its way waits for it, and computes where it is lost", () => {
  for (const comes of [true, false]) {
    const rig = new Rig(calm);
    for (const first of [1, 2, 3]) rig.run(promptOf(first));
    const stream = rig.submit(promptOf(1));
    const [run] = [...rig.host.open.values()];
    const last = run.slots.length - 1;
    const slot = run.slots[last];
    run.slots[last] = 0;
    run.pages[last] = comingPage;
    for (let i = 0; i < 30 && !rig.batcher.idle; i++) rig.step();
    assert.deepEqual(rig.said.get(stream), [], "it waits");
    const landing = { lease: run.lease, position: last, slot: comes ? slot : 0, page: 0 };
    rig.batcher.landed([landing]);
    rig.finish();
    assert.equal(rig.cached.get(stream)!.host, comes ? 29 : 28);
    rig.check();
  }
});
