import assert from "node:assert/strict";
import type { Engine } from "./engine.ts";
import { EngineListener, replayBlocks } from "./engine_listener_testing.ts";
import type { Ask } from "./engine_listener_testing.ts";

/** An engine as the suite opens it. */
export interface ContractSettings {
  readonly maxSeqs: number;
  readonly maxWaiting: number;
}

/** `length` tokens of the vocabulary, others for every `salt`; never one that ends a generation. */
export function promptOf(engine: Engine, length: number, salt = 0): number[] {
  const { vocabSize, eosTokenIds } = engine.card();
  const allowed = Array.from({ length: Math.min(vocabSize, 500) }, (_, id) => id)
    .filter((id) => !eosTokenIds.includes(id));
  return Array.from(
    { length },
    (_, i) => allowed[(Math.imul(i + 1 + salt * 1009, 0x9e3779b1) >>> 8) % allowed.length],
  );
}

/**
 * What every engine must do. Engines run by themselves while a test waits (a simulated one on a clock that goes), say
 * the same for the same seed, and hold a context of at least eight blocks.
 */
export function engineContract(
  name: string,
  options: {
    readonly ignore?: boolean;
    open(settings: ContractSettings): Promise<Engine>;
  },
): void {
  const test = (
    what: string,
    run: (listener: EngineListener) => Promise<void>,
    settings: Partial<ContractSettings> = {},
  ) => {
    Deno.test({
      name: `engine ${name} ${what}`,
      ignore: options.ignore,
      fn: async () => {
        const opened = await options.open({ maxSeqs: 4, maxWaiting: 8, ...settings });
        await using listener = new EngineListener(opened);
        await run(listener);
      },
    });
  };
  streamTests(test);
  refusalTests(test);
  samplingTests(test);
  cacheTests(test);
  endTests(test);
}

type Test = (
  what: string,
  run: (listener: EngineListener) => Promise<void>,
  settings?: Partial<ContractSettings>,
) => void;

function streamTests(test: Test): void {
  test("ends every stream once, at its most tokens, many at a time", async (listener) => {
    const streams = Array.from({ length: 10 }, (_, i) => {
      const { stream, taken } = listener.submit({
        tokens: promptOf(listener.engine, 3 + 40 * i % 200, i),
        stop: { maxTokens: 1 + i },
      });
      assert.ok(taken.ok, JSON.stringify(taken));
      return stream;
    });
    for (const [i, stream] of streams.entries()) {
      const { tokens, end, cached, firstIndex } = await listener.end(stream);
      assert.equal(end.reason, "length");
      assert.equal(tokens.length, 1 + i);
      assert.equal(firstIndex, 0);
      assert.ok(cached !== undefined, "the cached counts are said");
      assert.ok(tokens.every((token) => token < listener.engine.card().vocabSize));
    }
  });

  test("ends on a stop token, which is not among the tokens", async (listener) => {
    const tokens = promptOf(listener.engine, 20);
    const free = await listener.run({ tokens, stop: { maxTokens: 12 } });
    const stop = free.tokens[5];
    const stopped = await listener.run({ tokens, stop: { maxTokens: 12, stopTokenIds: [stop] } });
    assert.deepEqual(stopped.tokens, free.tokens.slice(0, free.tokens.indexOf(stop)));
    assert.equal(stopped.end.reason, "stop");
    assert.equal(stopped.end.stopToken, stop);
  });

  test("draws no stop token before the least tokens", async (listener) => {
    const tokens = promptOf(listener.engine, 20);
    const free = await listener.run({ tokens });
    const stop = { maxTokens: 12, minTokens: 4, stopTokenIds: [free.tokens[0]], ignoreEos: false };
    const held = await listener.run({ tokens, stop });
    assert.ok(held.tokens.length >= 4, `${held.tokens.length} tokens`);
    assert.ok(!held.tokens.includes(free.tokens[0]));
    const ends = listener.engine.card().eosTokenIds;
    assert.ok(!held.tokens.slice(0, 4).some((token) => ends.includes(token)));
  });

  test("goes on past its end tokens where asked to", async (listener) => {
    const most = { maxTokens: 60, ignoreEos: true };
    const { tokens, end } = await listener.run({
      tokens: promptOf(listener.engine, 9),
      sampling: { temperature: 2 },
      stop: most,
    });
    assert.deepEqual([tokens.length, end.reason], [60, "length"]);
  });

  test("ends where the context is full", async (listener) => {
    const { contextLength } = listener.engine.card();
    const { tokens, end } = await listener.run({
      tokens: promptOf(listener.engine, contextLength - 3),
      stop: { maxTokens: 100 },
    });
    assert.deepEqual([tokens.length, end.reason], [3, "length"]);
  });

  test("goes on from tokens that were emitted elsewhere", async (listener) => {
    const tokens = promptOf(listener.engine, 20);
    const { firstIndex, tokens: said, end } = await listener.run({
      tokens,
      emitted: 5,
      stop: { maxTokens: 8 },
    });
    assert.deepEqual([firstIndex, said.length, end.outputTokens], [5, 3, 8]);
  });

  test("serves the higher priority first, then by arrival", async (listener) => {
    const ask = (salt: number, priority: number) =>
      listener.submit({ tokens: promptOf(listener.engine, 10, salt), priority }).stream;
    const running = listener.submit({
      tokens: promptOf(listener.engine, 10),
      stop: { maxTokens: 50 },
    });
    await listener.until(() => listener.heard(running.stream) !== undefined);
    const streams = [ask(1, 0), ask(2, 0), ask(3, 5)];
    for (const stream of streams) await listener.end(stream);
    const order = streams.map((stream) => listener.heard(stream)!.firstStep);
    assert.ok(order[2] < order[0] && order[0] < order[1], `first steps ${order}`);
  }, { maxSeqs: 1 });

  test("frees a handle with its end", async (listener) => {
    const tokens = promptOf(listener.engine, 5);
    for (let i = 0; i < 3; i++) {
      const { stream, taken } = listener.submit({ stream: 7, tokens, stop: { maxTokens: 2 + i } });
      assert.ok(taken.ok);
      await listener.until(() => listener.heard(stream)?.tokens.length === 2 + i);
    }
  });
}

function refusalTests(test: Test): void {
  test("refuses what it cannot run, with its code and no step", async (listener) => {
    const { engine } = listener;
    const { contextLength, vocabSize } = engine.card();
    const codeOf = (ask: Ask) => {
      const { taken } = listener.submit(ask);
      if (taken.ok) return "taken";
      assert.match(taken.error.message, /^Cannot .+/);
      return taken.error.code;
    };
    assert.equal(codeOf({ tokens: [] }), "invalid_request");
    assert.equal(codeOf({ tokens: [vocabSize] }), "invalid_request");
    assert.equal(codeOf({ tokens: [4_294_967_295] }), "invalid_request");
    assert.equal(codeOf({ tokens: promptOf(engine, 5), emitted: 6 }), "invalid_request");
    const long = { tokens: promptOf(engine, contextLength) };
    assert.equal(codeOf(long), "context_length_exceeded");
    const done = { tokens: promptOf(engine, 5), emitted: 2, stop: { maxTokens: 2 } };
    assert.equal(codeOf(done), "invalid_request");
    assert.equal(engine.load().waiting, 0);
    assert.equal((await listener.run({ tokens: [...promptOf(engine, 4)] })).end.reason, "length");
  });

  test("refuses when all places are taken, and takes again when one is free", async (listener) => {
    const tokens = promptOf(listener.engine, 30);
    const ask = () => listener.submit({ tokens, stop: { maxTokens: 30 } });
    const taken = [ask(), ask(), ask()];
    assert.ok(taken.every((one) => one.taken.ok));
    const over = ask().taken;
    assert.ok(!over.ok && over.error.code === "overloaded" && over.error.retryAfterMs! > 0);
    await listener.end(taken[0].stream);
    const again = ask();
    assert.ok(again.taken.ok);
    await listener.end(again.stream);
  }, { maxSeqs: 2, maxWaiting: 1 });

  test("refuses a handle that is in use", async (listener) => {
    const tokens = promptOf(listener.engine, 10);
    const first = listener.submit({ stream: 1, tokens });
    const second = listener.submit({ stream: 1, tokens });
    assert.ok(first.taken.ok && !second.taken.ok);
    assert.equal(second.taken.error.code, "invalid_request");
    await listener.end(1);
  });
}

function samplingTests(test: Test): void {
  test("says the same for the same seed and another thing for another", async (listener) => {
    const tokens = promptOf(listener.engine, 20);
    const ask = (seedLo: number, choice = 0) =>
      listener.run({
        tokens,
        choice,
        sampling: { temperature: 1, seedLo },
        stop: { maxTokens: 24 },
      });
    const first = await ask(1);
    assert.deepEqual((await ask(1)).tokens, first.tokens);
    assert.notDeepEqual((await ask(2)).tokens, first.tokens);
    assert.notDeepEqual((await ask(1, 1)).tokens, first.tokens);
  });

  test("says different things for the choices of one request", async (listener) => {
    const tokens = promptOf(listener.engine, 20);
    const streams = [0, 1, 2, 3].map((choice) =>
      listener.submit({ tokens, choice, sampling: { temperature: 1 }, stop: { maxTokens: 24 } })
        .stream
    );
    const texts = new Set<string>();
    for (const stream of streams) texts.add(String((await listener.end(stream)).tokens));
    assert.equal(texts.size, 4);
  });
}

function cacheTests(test: Test): void {
  test("reuses whole blocks of a finished prompt, at most floor((n-1)/blockSize)", async (listener) => {
    const { engine } = listener;
    const { blockSize, reuse } = engine.card();
    if (reuse !== "blocks") return;
    const tokens = promptOf(engine, 3 * blockSize + 5);
    const cachedOf = async (ask: Ask) => (await listener.run(ask)).cached?.device;
    assert.equal(await cachedOf({ tokens }), 0);
    assert.equal(await cachedOf({ tokens }), 3 * blockSize);
    assert.equal(await cachedOf({ tokens: tokens.slice(0, 3 * blockSize) }), 2 * blockSize);
    assert.equal(await cachedOf({ tokens: tokens.slice(0, 2 * blockSize + 1) }), 2 * blockSize);
    assert.equal(await cachedOf({ tokens, tenantSalt: "another" }), 0);
    const bent = tokens.with(
      blockSize + 1,
      promptOf(engine, 9, 77).find((one) => one !== tokens[blockSize + 1])!,
    );
    assert.equal(await cachedOf({ tokens: bent }), blockSize);
  });

  test("reuses the blocks of a prompt that still runs", async (listener) => {
    const { engine } = listener;
    const { blockSize, reuse } = engine.card();
    if (reuse !== "blocks") return;
    const tokens = promptOf(engine, 2 * blockSize + 5);
    const first = listener.submit({ tokens, stop: { maxTokens: 2 * blockSize } });
    await listener.until(() => listener.heard(first.stream) !== undefined);
    const second = await listener.run({ tokens, choice: 1 });
    assert.equal(second.cached?.device, 2 * blockSize);
    assert.equal(listener.heard(first.stream)!.end, undefined, "the first one runs still");
    assert.equal((await listener.end(first.stream)).tokens.length, 2 * blockSize);
  });

  test("tells its blocks so that events and snapshots agree at every step", async (listener) => {
    const { engine } = listener;
    const { blockSize } = engine.card();
    const streams: number[] = [];
    const check = async () => {
      const taken = await engine.snapshot();
      assert.ok(taken.ok, JSON.stringify(taken));
      const { step, kvEvents } = taken.value;
      await listener.until(() =>
        engine.load().running === 0 || listener.blocksAfter(step).size >= 0
      );
      const said = new Map<number, string>();
      replayBlocks(said, kvEvents);
      return { step, said };
    };
    const snapshots = [await check()];
    for (let i = 0; i < 6; i++) {
      const length = (1 + i % 3) * blockSize + 7 * i;
      const ask = { tokens: promptOf(engine, length, i % 3), stop: { maxTokens: blockSize } };
      streams.push(listener.submit(ask).stream);
      if (i % 2 === 1) {
        await listener.until(() => (listener.heard(streams[i - 1])?.tokens.length ?? 0) > 2);
        engine.cancel(streams[i - 1]);
      }
      snapshots.push(await check());
    }
    for (const stream of streams) await listener.end(stream);
    snapshots.push(await check());
    // The consumer may be behind the snapshot's step: all steps have come by now.
    for (const { step, said } of snapshots) assert.deepEqual(said, listener.blocksAfter(step));
  });

  test("reports a load that adds up", async (listener) => {
    const { engine } = listener;
    const { totalBlocks, blockSize } = engine.card();
    const live = new Set<number>();
    for (let i = 0; i < 6; i++) {
      const tokens = promptOf(engine, blockSize + 30 * i, i);
      live.add(listener.submit({ tokens, stop: { maxTokens: 20 + i } }).stream);
      const load = engine.load();
      assert.equal(load.running + load.waiting, live.size);
      assert.ok(load.prefillTokens > 0);
    }
    let steps = 0;
    while (live.size > 0) {
      await listener.until(() => [...live].some((stream) => listener.heard(stream)?.end));
      for (const stream of live) if (listener.heard(stream)?.end) live.delete(stream);
      const load = engine.load();
      assert.ok(load.running <= 4 && load.running + load.waiting <= live.size);
      assert.ok(load.activeBlocks + load.cachedBlocks <= totalBlocks && load.totalBlocks > 0);
      assert.ok(load.stepCount >= steps && load.stepAgeMs >= 0);
      steps = load.stepCount;
    }
    const rest = engine.load();
    assert.deepEqual([rest.running, rest.waiting, rest.prefillTokens], [0, 0, 0]);
    assert.deepEqual([rest.activeBlocks, rest.stepAgeMs], [0, 0]);
    assert.ok(rest.decodeRate > 0 && rest.prefillRate > 0);
  });
}

function endTests(test: Test): void {
  test("cancels within a step, in decode, in prefill and while waiting", async (listener) => {
    const { engine } = listener;
    const long = { tokens: promptOf(engine, 20), stop: { maxTokens: 100_000 } };
    // One step may be running, and one may begin before the word has come through. The best of some tries counts: this
    // thread may be stopped between the look at the step and the cancel.
    const late: number[] = [];
    for (let i = 0; i < 5; i++) {
      const running = listener.submit(long).stream;
      await listener.until(() => (listener.heard(running)?.tokens.length ?? 0) >= 2);
      const waiting = listener.submit({ tokens: promptOf(engine, 300, 1) }).stream;
      for (const stream of [waiting, running]) {
        const before = engine.load().stepCount;
        engine.cancel(stream);
        engine.cancel(stream);
        const { end, endStep } = await listener.end(stream);
        assert.equal(end.reason, "cancelled");
        late.push(endStep - before);
      }
    }
    assert.ok(Math.min(...late) <= 3, `ended ${late} steps after the cancel`);
    const prefill = listener.submit({ tokens: promptOf(engine, 400, 2) }).stream;
    engine.cancel(prefill);
    assert.equal((await listener.end(prefill)).end.reason, "cancelled");
    engine.cancel(prefill);
    engine.cancel(123_456);
    assert.equal((await listener.run({ tokens: [5] })).end.reason, "length");
  }, { maxSeqs: 1 });

  test("drains: takes nothing new and finishes what runs", async (listener) => {
    const tokens = promptOf(listener.engine, 20);
    const running = listener.submit({ tokens, stop: { maxTokens: 30 } }).stream;
    const drained = listener.engine.drain(new AbortController().signal);
    const refused = listener.submit({ tokens }).taken;
    assert.ok(!refused.ok && refused.error.code === "draining");
    await drained;
    const { end, tokens: said } = await listener.end(running);
    assert.deepEqual([end.reason, said.length], ["length", 30]);
    await listener.engine.drain(new AbortController().signal);
  });

  test("drains at once when told to: the rest is cancelled", async (listener) => {
    const long = { tokens: promptOf(listener.engine, 20), stop: { maxTokens: 100_000 } };
    const streams = [0, 1, 2].map(() => listener.submit(long).stream);
    const stop = new AbortController();
    const drained = listener.engine.drain(stop.signal);
    await listener.until(() => (listener.heard(streams[0])?.tokens.length ?? 0) > 1);
    stop.abort();
    await drained;
    for (const stream of streams) {
      assert.equal((await listener.end(stream)).end.reason, "cancelled");
    }
    await listener.engine.drain(AbortSignal.abort());
  }, { maxSeqs: 2 });

  test("ends its streams and its steps when it is disposed", async (listener) => {
    const long = { tokens: promptOf(listener.engine, 20), stop: { maxTokens: 100_000 } };
    const streams = [0, 1, 2].map(() => listener.submit(long).stream);
    await listener.until(() => (listener.heard(streams[0])?.tokens.length ?? 0) > 1);
    await listener.engine[Symbol.asyncDispose]();
    await listener.ended;
    assert.equal(listener.error, undefined);
    for (const stream of streams) {
      const { end } = await listener.end(stream);
      assert.equal(end.reason, "error");
      assert.equal(end.error?.code, "draining");
    }
    const refused = listener.submit(long).taken;
    assert.ok(!refused.ok && refused.error.code === "draining");
    const frozen = await listener.engine.snapshot();
    assert.ok(!frozen.ok && frozen.error.code === "draining");
    await listener.engine[Symbol.asyncDispose]();
  }, { maxSeqs: 2 });
}
