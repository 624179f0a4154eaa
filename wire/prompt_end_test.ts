import assert from "node:assert/strict";
import { endHash, endMark, isEndIndex } from "./prompt_end.ts";
import { routeHashes } from "./route_hash.ts";

const none = { adapterDigest: "", tenantSalt: "" };

Deno.test("endHash() differs by tokens, by what is before, by adapter and tenant, and from RouteHashes", () => {
  const before = { hi: 1, lo: 2 };
  const keys = [
    endHash(before, [3, 4], none),
    endHash(before, [3, 5], none),
    endHash(before, [3], none),
    endHash({ hi: 2, lo: 1 }, [3, 4], none),
    endHash(undefined, [3, 4], none),
    endHash(before, [3, 4], { ...none, tenantSalt: "a" }),
    endHash(before, [3, 4], { ...none, adapterDigest: "a" }),
  ].map(({ hi, lo }) => `${hi}.${lo}`);
  const { hi, lo } = routeHashes([3, 4], { blockSize: 2 });
  assert.equal(new Set([...keys, `${hi[0]}.${lo[0]}`]).size, keys.length + 1);
  assert.deepEqual(endHash(before, Uint32Array.of(3, 4), none), endHash(before, [3, 4], none));
});

Deno.test("endHash() is what it was: stored blocks outlive the program", () => {
  assert.deepEqual(endHash({ hi: 1, lo: 2 }, [3, 4, 5], none), { hi: 2047570015, lo: 2947341062 });
});

Deno.test("isEndIndex() tells ends from places in a prompt", () => {
  assert.deepEqual([0, 7, endMark, endMark + 7].map(isEndIndex), [false, false, true, true]);
});
