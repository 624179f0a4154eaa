import assert from "node:assert/strict";
import fc from "fast-check";
import type { HashList } from "@pixii/wire";
import { batchOf, cardOf, hashesOf, instanceOf, modelHash } from "../testing/samples.ts";
import { routeOf, storedOf } from "../testing/samples.ts";
import { hear, putCard, stateOf } from "../testing/state_of.ts";
import { Coverage } from "./coverage.ts";
import { peerRun } from "./peer_run.ts";
import type { RouterState } from "./router_state.ts";

const blocks = 12;
const list = hashesOf(1, blocks);

/** Workers 1 to 4; 1 and 2 over block manager 91, 3 over 92, 4 over 93, whose blocks are larger. */
function fleet(): RouterState {
  const state = stateOf(0);
  for (const [worker, kvbm, blockSize] of [[1, 91, 16], [2, 91, 16], [3, 92, 16], [4, 93, 32]]) {
    putCard(state, cardOf(worker, { kvbm: instanceOf(kvbm), blockSize }));
    hear(state, worker);
  }
  return state;
}

/** Stores the blocks of the prompt that `bits` names, each by itself. */
function store(
  state: RouterState,
  owner: number,
  { tier, bits }: { readonly tier: "device" | "host" | "disk"; readonly bits: number },
): void {
  const events = Array.from({ length: blocks }, (_, i) => {
    const one: HashList = { hi: list.hi.subarray(i, i + 1), lo: list.lo.subarray(i, i + 1) };
    return { ...storedOf(one, 1 + i), parent: i };
  }).filter((_, i) => (bits >> i & 1) === 1);
  if (events.length > 0) state.events({ ...batchOf(owner, { number: 1, events }), tier }, 0);
}

Deno.test("of() and longest() say what the index says when asked for each alone, whoever is asked for", () => {
  const bits = fc.integer({ min: 0, max: 2 ** blocks - 1 }).map((value) => value | (value & 1) * 7);
  fc.assert(fc.property(fc.array(bits, { minLength: 7, maxLength: 7 }), (held) => {
    const state = fleet();
    [1, 2, 3].forEach((worker, i) => store(state, worker, { tier: "device", bits: held[i] }));
    [91, 92].forEach((kvbm, i) => {
      store(state, kvbm, { tier: "host", bits: held[3 + i] });
      store(state, kvbm, { tier: "disk", bits: held[5 + i] });
    });
    const model = state.fleet.models.get(modelHash)!;
    const coverage = new Coverage(model, routeOf(1, { blocks }), state);
    const index = state.indexOf(modelHash, 16)!;
    const alone = (owners: Parameters<typeof index.overlaps>[1][number]) => {
      const out = new Uint32Array(3);
      index.overlaps(list, [owners], out);
      return { device: out[0], host: out[1], disk: out[2] };
    };
    const some = [model.ranks[2], model.ranks[0]];
    assert.deepEqual(coverage.of(some), some.map(({ owners }) => alone(owners)));
    const [first, second] = [0, 2].map((i) => {
      const { host, disk } = alone({ ...model.ranks[i].owners, device: undefined });
      return host + disk;
    });
    const best = coverage.longest(16, { least: 0, most: blocks, isMeant: () => true });
    const most = Math.max(first, second);
    assert.equal(best?.blocks ?? 0, most);
    if (most > 0) assert.equal(best?.kvbm, instanceOf(first >= second ? 91 : 92));
    state.checkIntegrity();
  }));
});

Deno.test("a decision asks the index once, with the same candidates whoever may take the request", () => {
  const state = fleet();
  store(state, 92, { tier: "host", bits: 0xfff });
  const index = state.indexOf(modelHash, 16)!;
  const asked: unknown[] = [];
  const overlaps = index.overlaps.bind(index);
  index.overlaps = (list, candidates, out) => {
    asked.push(candidates);
    overlaps(list, candidates, out);
  };
  const deny = [instanceOf(3), instanceOf(4)];
  for (const hints of [undefined, { deny }]) {
    const request = routeOf(hints === undefined ? 1 : 2, { blocks, hints });
    const decided = state.route(modelHash, request, { nowMs: 1, draw: () => 0 });
    assert.ok(decided.ok);
    const run = peerRun(state.fleet.models.get(modelHash)!, request, {
      decision: decided.value,
      weights: state.weights,
    });
    if (hints !== undefined) assert.deepEqual([run?.kvbm, run?.blocks], [instanceOf(92), 11]);
  }
  assert.equal(asked.length, 2);
  assert.equal(asked[0], asked[1]);
});
