import assert from "node:assert/strict";
import fc from "fast-check";
import { roles, takesAnswers, takesPrompts } from "@pixii/wire";
import { RoleTurn } from "./role_turn.ts";

const none = { prompts: 0, answers: 0 };

Deno.test("RoleTurn flips at once where nothing of the old kind runs, else when it has drained", () => {
  const turn = new RoleTurn("decode");
  const wish = { id: "a", role: "prefill", boundMs: 1_000 } as const;
  assert.equal(turn.wish(wish, { prompts: 0, answers: 2 }, 0).state, "flipping");
  assert.equal(turn.state.role, "decode");
  assert.ok(!takesAnswers(turn.state), "what drains takes no more of its kind");
  assert.ok(!takesPrompts(turn.state), "and nothing of the new kind yet");
  assert.equal(turn.look({ prompts: 0, answers: 1 }, 500), false);
  assert.equal(turn.look({ prompts: 3, answers: 0 }, 600), true);
  assert.deepEqual(turn.state, {
    role: "prefill",
    flip: { id: "a", to: "prefill", state: "done" },
  });
  assert.equal(turn.wish(wish, none, 700).state, "done", "the same wish again changes nothing");
  assert.equal(turn.wish({ ...wish, id: "b", role: "both" }, none, 800).state, "done");
  assert.equal(turn.state.role, "both");
});

Deno.test("RoleTurn drains only the kind that the new role does not take", () => {
  const toPrefill = new RoleTurn("both");
  toPrefill.wish({ id: "a", role: "prefill", boundMs: 9_000 }, { prompts: 1, answers: 1 }, 0);
  assert.equal(toPrefill.look({ prompts: 1, answers: 0 }, 10), true);
  const toDecode = new RoleTurn("both");
  toDecode.wish({ id: "a", role: "decode", boundMs: 9_000 }, { prompts: 1, answers: 1 }, 0);
  assert.ok(takesAnswers(toDecode.state));
  assert.equal(toDecode.look({ prompts: 0, answers: 1 }, 10), true);
});

Deno.test("RoleTurn goes back after its bound and says so, and takes late streams for a second only", () => {
  const turn = new RoleTurn("decode");
  const busy = { prompts: 0, answers: 3 };
  turn.wish({ id: "a", role: "prefill", boundMs: 5_000 }, busy, 0);
  assert.equal(turn.refuses("answers", 900), false);
  assert.equal(turn.refuses("answers", 1_100), true);
  assert.equal(turn.refuses("prompts", 1_100), false);
  assert.equal(turn.look(busy, 4_999), false);
  assert.equal(turn.look(busy, 5_000), true);
  assert.equal(turn.state.role, "decode");
  assert.equal(turn.state.flip?.state, "gave-up");
  assert.match(turn.state.flip?.reason ?? "", /3 streams still ran after 5 s; it stays decode/);
  assert.equal(turn.refuses("answers", 5_001), false);
  assert.equal(
    turn.wish({ id: "a", role: "prefill", boundMs: 5_000 }, none, 6_000).state,
    "gave-up",
  );
  assert.equal(turn.giveUp("again"), false);
});

Deno.test("RoleTurn follows no wish after end(), not even where nothing has to drain", () => {
  const turn = new RoleTurn("both");
  turn.wish({ id: "a", role: "prefill", boundMs: 5_000 }, { prompts: 0, answers: 1 }, 0);
  assert.equal(turn.end("it shuts down"), true);
  assert.equal(turn.end("it shuts down"), false);
  const late = turn.wish({ id: "b", role: "decode", boundMs: 5_000 }, none, 10);
  assert.deepEqual(late, { id: "b", to: "decode", state: "gave-up", reason: "it shuts down" });
  assert.deepEqual([turn.state.role, turn.isFlipping], ["both", false]);
});

Deno.test("RoleTurn is in no state in between longer than the bound of its last wish", () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 3_000 }),
    wish: fc.option(fc.tuple(fc.nat(5), fc.constantFrom(...roles))),
    live: fc.record({ prompts: fc.nat(2), answers: fc.nat(2) }),
  });
  fc.assert(fc.property(fc.constantFrom(...roles), fc.array(step), (role, steps) => {
    const turn = new RoleTurn(role);
    let nowMs = 0;
    let wishedMs = 0;
    for (const { waitMs, wish, live } of steps) {
      nowMs += waitMs;
      turn.look(live, nowMs);
      if (turn.isFlipping) assert.ok(nowMs - wishedMs < 2_000, "past its bound");
      if (wish !== null) {
        const before = turn.state.flip?.id;
        const flip = turn.wish({ id: `w${wish[0]}`, role: wish[1], boundMs: 2_000 }, live, nowMs);
        if (before !== flip.id) wishedMs = nowMs;
        if (flip.state === "done" && before !== flip.id) assert.equal(turn.state.role, wish[1]);
      }
    }
  }));
});
