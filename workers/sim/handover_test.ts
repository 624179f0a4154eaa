import assert from "node:assert/strict";
import { VirtualClock } from "@pixii/runtime";
import type { Handover } from "@pixii/wire";
import { promptOf, requestOf } from "./core/scheduler_testing.ts";
import type { SimEngine } from "./engine.ts";
import { openSims } from "./open_testing.ts";

interface Said {
  tokens: number[];
  firstMs: number | undefined;
  end: string | undefined;
  cached: { readonly device: number; readonly host: number } | undefined;
}

/** One engine under a virtual clock and what its stream 1 says. */
async function open() {
  const clock = new VirtualClock();
  const [engine] = await openSims({ clock, blocks: 64, speed: 1 });
  const said: Said = { tokens: [], firstMs: undefined, end: undefined, cached: undefined };
  const pump = (async () => {
    for await (const { outputs } of engine.steps()) {
      engine.checkIntegrity();
      for (const { tokens, extra } of outputs) {
        said.tokens.push(...tokens);
        if (tokens.length > 0) said.firstMs ??= clock.nowMs();
        said.end ??= extra?.end?.reason;
        said.cached ??= extra?.cached;
      }
    }
  })();
  const close = async () => {
    await engine[Symbol.asyncDispose]();
    await pump;
  };
  return { clock, engine, said, [Symbol.asyncDispose]: close };
}

function submit(engine: SimEngine, part?: Handover["part"]): void {
  const handover = part === undefined ? undefined : { part };
  const ask = { stream: 1, tokens: promptOf(1_000), handover, stop: { maxTokens: 4 } };
  assert.ok(engine.submit(requestOf(ask)).ok);
}

Deno.test("SimEngine gives: the first token, then its end; takes: waits, brings the blocks in, goes on alike", async () => {
  await using alone = await open();
  submit(alone.engine);
  await alone.clock.advance(1_000);
  assert.equal(alone.said.tokens.length, 4);
  await using giver = await open();
  submit(giver.engine, "give");
  await giver.clock.advance(1_000);
  assert.deepEqual(giver.said.tokens, alone.said.tokens.slice(0, 1));
  assert.equal(giver.said.end, "length");
  await using taker = await open();
  submit(taker.engine, "take");
  await taker.clock.advance(500);
  assert.deepEqual([taker.said.tokens, taker.engine.load().waiting], [[], 1]);
  taker.engine.handover(1, "given");
  await taker.clock.advance(500);
  assert.deepEqual(taker.said.tokens, alone.said.tokens);
  // A transfer, and nothing that is computed.
  const transferMs = 1_000 * 131_072 / 64e9 * 1_000;
  assert.ok(Math.abs(taker.said.firstMs! - 500 - transferMs) < 1, `${taker.said.firstMs}`);
  assert.deepEqual(taker.said.cached, { device: 0, host: 0, disk: 0 });
});

Deno.test("SimEngine computes a prompt itself that the other lost, or of which it hears nothing for ten seconds", async () => {
  for (const word of ["lost", undefined] as const) {
    await using taker = await open();
    submit(taker.engine, "take");
    await taker.clock.advance(100);
    if (word !== undefined) taker.engine.handover(1, word);
    await taker.clock.advance(11_000);
    assert.equal(taker.said.tokens.length, 4);
    assert.equal(taker.said.firstMs! > 10_000, word === undefined, `${taker.said.firstMs}`);
  }
});

Deno.test("SimEngine ends a stream that waits for another worker when it is cancelled, and when it is shut down", async () => {
  await using cancelled = await open();
  submit(cancelled.engine, "take");
  await cancelled.clock.advance(10);
  cancelled.engine.cancel(1);
  await cancelled.clock.advance(10);
  assert.equal(cancelled.said.end, "cancelled");
  const closed = await open();
  submit(closed.engine, "take");
  await closed.clock.advance(10);
  await closed[Symbol.asyncDispose]();
  assert.equal(closed.said.end, "error");
});
