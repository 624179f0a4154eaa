import assert from "node:assert/strict";
import type { InstanceId, ModelCard, RouteHints } from "@pixii/wire";
import { pickFallback } from "./fallback_pick.ts";
import type { FallbackCandidate } from "./fallback_pick.ts";

const [a, b, c] = ["a", "b", "c"].map((letter) => letter.repeat(16) as InstanceId);

function candidate(
  instance: InstanceId,
  requests: number,
  more: Partial<ModelCard> & { isOpen?: boolean } = {},
): FallbackCandidate {
  const card = { role: "both", dpSize: 1, ...more, instance } as ModelCard;
  return { card, requests, isOpen: more.isOpen ?? true };
}

function pick(candidates: FallbackCandidate[], hints: RouteHints = {}, chance = 0): unknown {
  const picked = pickFallback(candidates, hints, () => chance);
  return picked.ok ? picked.value.instance : picked.error.code;
}

Deno.test("pickFallback() takes the fewest requests, ties by chance", () => {
  assert.equal(pick([candidate(a, 2), candidate(b, 1), candidate(c, 3)]), b);
  const tied = [candidate(a, 1), candidate(b, 1), candidate(c, 2)];
  assert.deepEqual([pick(tied, {}, 0.1), pick(tied, {}, 0.9)], [a, b]);
});

Deno.test("pickFallback() passes over closed and prefill workers", () => {
  const closed = candidate(a, 0, { isOpen: false });
  const prefill = candidate(b, 0, { role: "prefill" });
  assert.equal(pick([closed, prefill, candidate(c, 9)]), c);
  assert.equal(pick([closed, prefill]), "no_worker");
  assert.equal(pick([]), "no_worker");
});

Deno.test("pickFallback() obeys the hints", () => {
  const all = [candidate(a, 0), candidate(b, 1), candidate(c, 2)];
  assert.equal(pick(all, { worker: c }), c);
  assert.equal(pick(all, { deny: [a] }), b);
  assert.equal(pick(all, { allow: [b, c] }), b);
  assert.equal(pick(all, { worker: a, deny: [a] }), "no_worker");
  assert.equal(pick(all, { dpRank: 1 }), "no_worker");
});

Deno.test("pickFallback() spreads over data-parallel ranks", () => {
  const picked = pickFallback([candidate(a, 0, { dpSize: 4 })], {}, () => 0.6);
  assert.deepEqual(picked, { ok: true, value: { instance: a, dpRank: 2 } });
});
