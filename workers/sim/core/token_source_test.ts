import assert from "node:assert/strict";
import { plainTokens, requestOf } from "./scheduler_testing.ts";
import type { Ask } from "./scheduler_testing.ts";
import { TokenSource } from "./token_source.ts";

function sourceOf(ask: Partial<Ask> = {}): TokenSource {
  const request = requestOf({
    stream: 1,
    tokens: [1, 2, 3],
    sampling: { temperature: 1, ...ask.sampling },
    stop: ask.stop,
    choice: ask.choice,
    ...(ask.tokens === undefined ? {} : { tokens: ask.tokens }),
  });
  return new TokenSource({
    ...request,
    choice: request.choice ?? 0,
    prompt: request.tokens,
    plain: plainTokens,
    eosTokenIds: [2],
  });
}

function said(source: TokenSource, length = 200): number[] {
  return Array.from({ length }, (_, index) => source.at(index));
}

Deno.test("TokenSource says the same for the same prompt, seed and choice, another thing for others", () => {
  const first = said(sourceOf());
  assert.deepEqual(said(sourceOf()), first);
  for (
    const other of [
      { tokens: [1, 2, 4] },
      { sampling: { temperature: 1, seedLo: 3 } },
      { sampling: { temperature: 1, seedHi: 3 } },
      { choice: 1 },
    ]
  ) {
    const same = said(sourceOf(other)).filter((token, i) => token === first[i]).length;
    assert.ok(same < 10, `${same} of 200 tokens are the same`);
  }
  assert.ok(new Set(first).size > 130, "tokens spread over the words");
});

Deno.test("TokenSource passes over seed and choice at temperature 0", () => {
  const greedy = { temperature: 0 };
  const first = said(sourceOf({ sampling: greedy }));
  assert.deepEqual(said(sourceOf({ sampling: { ...greedy, seedLo: 9 }, choice: 4 })), first);
});

Deno.test("TokenSource begins with a first word and says words after it, never an end by itself", () => {
  const tokens = said(sourceOf(), 2000);
  assert.ok(plainTokens.first.includes(tokens[0]));
  assert.ok(tokens.slice(1).every((token) => plainTokens.rest.includes(token)));
});

Deno.test("TokenSource honours bans, forced tokens, and least tokens before an end", () => {
  const free = said(sourceOf());
  const banned = free[3];
  const logitBias: [number, number][] = [[banned, -100]];
  const without = said(sourceOf({ sampling: { temperature: 1, logitBias } }));
  assert.ok(!without.includes(banned));
  assert.deepEqual(without.map((token, i) => free[i] === banned ? banned : token), free);
  const ending = sourceOf({
    sampling: { temperature: 1, logitBias: [[2, 100]] },
    stop: { minTokens: 3 },
  });
  assert.deepEqual(said(ending, 5).map((token) => ending.ends(token)), [
    ...[false, false, false, true, true],
  ]);
  const past = sourceOf({ stop: { ignoreEos: true, stopTokenIds: [7] } });
  assert.deepEqual([past.ends(2), past.ends(7)], [false, true]);
});

Deno.test("TokenSource gives log-probabilities of the right shape: a distribution led by the token", () => {
  for (const logprobs of [0, 1, 5, 20]) {
    const source = sourceOf({ sampling: { temperature: 1, logprobs } });
    for (let index = 0; index < 50; index++) {
      const token = source.at(index);
      const { logprob, top } = source.logprob(index, token)!;
      assert.equal(top.length, logprobs);
      assert.ok(logprob! < 0 && Number.isFinite(logprob));
      if (logprobs > 0) assert.deepEqual(top[0], [token, logprob]);
      assert.equal(new Set(top.map(([id]) => id)).size, logprobs);
      assert.ok(top.every(([, value], i) => i === 0 || value <= top[i - 1][1]));
      assert.ok(top.reduce((sum, [, value]) => sum + Math.exp(value), 0) <= 1 + 1e-9);
    }
  }
  assert.equal(sourceOf().logprob(0, 200), undefined);
});
