import assert from "node:assert/strict";
import fc from "fast-check";
import { StopMatcher } from "./stop_strings.ts";

/** Cuts the whole text at the first stop that a left-to-right reader of these pieces sees. */
function naive(pieces: readonly string[], stops: readonly string[]): string {
  let all = "";
  for (const piece of pieces) {
    all += piece;
    const places = stops.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
    if (places.length > 0) return all.slice(0, Math.min(...places));
  }
  return all;
}

Deno.test("StopMatcher gives the text before the first stop, however it is cut", () => {
  const letters = fc.stringMatching(/^[ab]{1,4}$/);
  fc.assert(
    fc.property(
      fc.array(letters, { maxLength: 12 }),
      fc.array(letters, { maxLength: 3 }),
      (pieces, stops) => {
        const matcher = new StopMatcher(stops);
        let text = "";
        let stopped = false;
        for (const piece of pieces) {
          const out = matcher.push(piece);
          text += out.text;
          stopped ||= out.stopped;
        }
        assert.equal(text + matcher.finish(), naive(pieces, stops));
        assert.equal(stopped, stops.some((stop) => pieces.join("").includes(stop)));
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("StopMatcher sends at once what cannot become a stop", () => {
  const matcher = new StopMatcher(["STOP"]);
  assert.deepEqual(matcher.push("hello S"), { text: "hello ", stopped: false });
  assert.deepEqual(matcher.push("TO"), { text: "", stopped: false });
  assert.deepEqual(matcher.push("RE"), { text: "STORE", stopped: false });
});
