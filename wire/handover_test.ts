import assert from "node:assert/strict";
import { otherLeg, tailHash } from "./handover.ts";
import type { RequestId } from "./ids.ts";

const requestId = "00112233445566778899aabbccddeeff" as RequestId;

Deno.test("tailHash() is the same for both legs and another for another attempt, choice, request or index", () => {
  const key = { requestId, attempt: 1, leg: 4 };
  const hash = tailHash(key, 0);
  assert.deepEqual(tailHash({ ...key, leg: otherLeg(4) }, 0), hash);
  const others = [
    tailHash({ ...key, attempt: 2 }, 0),
    tailHash({ ...key, leg: 2 }, 0),
    tailHash({ ...key, requestId: "f".repeat(32) as RequestId }, 0),
    tailHash(key, 1),
  ];
  for (const other of others) assert.notDeepEqual(other, hash);
});

Deno.test("otherLeg() pairs prefill and decode of one choice", () => {
  assert.deepEqual([0, 1, 2, 3].map(otherLeg), [1, 0, 3, 2]);
});
