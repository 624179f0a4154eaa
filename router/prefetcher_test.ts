import assert from "node:assert/strict";
import { decode, subjects, u32sOf } from "@pixii/wire";
import type { InstanceId, RouteRequest } from "@pixii/wire";
import { testHost } from "@pixii/runtime/testing";
import type { Decision } from "./core/decide.ts";
import { Prefetcher } from "./prefetcher.ts";
import { cardOf, instanceOf } from "./testing/samples.ts";

const kvbm = instanceOf(0xcb) as InstanceId;

/** A decision for a worker whose tiers hold so much of the prompt. */
function decisionOf(
  overlap: { device: number; host: number; disk: number },
  more: { readonly prefill?: Decision["prefill"]; readonly kvbm?: InstanceId } = { kvbm },
): Decision {
  const card = cardOf(1, { kvbm: more.kvbm });
  return { rank: { card }, overlap, prefill: more.prefill } as unknown as Decision;
}

function requestOf(blocks: number): RouteRequest {
  const list = {
    hi: Uint32Array.from({ length: blocks }, () => 7),
    lo: Uint32Array.from({ length: blocks }, (_, i) => 100 + i),
  };
  const { blockSize } = cardOf(1);
  return { remainingMs: 900, hashes: [{ blockSize, list }] } as unknown as RouteRequest;
}

Deno.test("decided() names what lies behind the device, where some of it is on disk, to the worker's kvbm", async () => {
  await using host = testHost();
  const heard: { los: number[]; his: number[]; remainingMs: number }[] = [];
  host.connect().bus.subscribe(subjects("default").control(kvbm), ({ payload }) => {
    const control = decode("control", payload.slice());
    assert.ok(control.ok && control.value.op === "prefetch");
    const { hi, lo, remainingMs, model } = control.value;
    assert.equal(model, cardOf(1).hash);
    heard.push({ los: [...u32sOf(lo)], his: [...u32sOf(hi)], remainingMs });
  });
  const peer = { kvbm: instanceOf(0xfa) as InstanceId, blocks: 8, computeMs: 7 };
  const far = new Prefetcher({ bus: host.bus, namespace: "default" }, () => peer);
  const named = far.decided(requestOf(9), decisionOf({ device: 2, host: 1, disk: 0 }));
  assert.deepEqual(named, { blocks: 6, peer });
  const prefetcher = new Prefetcher({ bus: host.bus, namespace: "default" });
  assert.equal(
    prefetcher.decided(requestOf(9), decisionOf({ device: 2, host: 1, disk: 3 })).blocks,
    4,
  );
  // Nothing on disk, no block manager, no list of this block size: nothing to say.
  assert.equal(
    prefetcher.decided(requestOf(9), decisionOf({ device: 2, host: 1, disk: 0 })).blocks,
    0,
  );
  assert.equal(
    prefetcher.decided(requestOf(9), decisionOf({ device: 0, host: 0, disk: 3 }, {})).blocks,
    0,
  );
  const other = { ...requestOf(9), hashes: [] };
  assert.equal(prefetcher.decided(other, decisionOf({ device: 0, host: 0, disk: 3 })).blocks, 0);
  // Of a split prompt: what the prefill worker lacks.
  const overlap = { device: 0, host: 0, disk: 2 };
  const prefill = { acts: true, overlap } as unknown as Decision["prefill"];
  const split = decisionOf({ device: 5, host: 0, disk: 0 }, { kvbm, prefill });
  assert.equal(prefetcher.decided(requestOf(9), split).blocks, 2);
  for (let tries = 0; heard.length < 3; tries++) {
    assert.ok(tries < 500);
    await host.clock.sleep(5);
  }
  assert.deepEqual(heard, [
    { los: [102, 103, 104, 105, 106, 107], his: [7, 7, 7, 7, 7, 7], remainingMs: 900 },
    { los: [102, 103, 104, 105], his: [7, 7, 7, 7], remainingMs: 900 },
    { los: [100, 101], his: [7, 7], remainingMs: 900 },
  ]);
});
