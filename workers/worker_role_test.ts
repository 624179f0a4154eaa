import assert from "node:assert/strict";
import { decode, decodeRecord, encodeRecord, keys, modelHashOf } from "@pixii/wire";
import type { DesiredRecord, ModelCard } from "@pixii/wire";
import { ids, keyOf, ShellDesk } from "./shell_testing.ts";

const long = { stop: { maxTokens: 200, minTokens: 0, stopTokenIds: [], ignoreEos: true } };
const names = keys("test");

function wish(id: string, role: DesiredRecord["role"], boundMs?: number): string {
  return encodeRecord("desired", {
    ...{ instance: ids.worker, id, role, reason: "a test", by: "operator", boundMs },
  });
}

async function cardOf(desk: ShellDesk): Promise<ModelCard> {
  const listed = await desk.host.registry.list(names.model(modelHashOf("m"), ids.worker));
  assert.ok(listed.ok);
  const card = decodeRecord("model", listed.value[0].value);
  assert.ok(card.ok);
  return card.value;
}

Deno.test("WorkerShell follows its key: drains answers, flips, tells routers and registry, loses nothing", async () => {
  await using desk = await ShellDesk.sim();
  using _renewing = desk.renewing();
  const { registry } = desk.host.connect();
  await desk.generate(1, long);
  await desk.clock.advance(100);
  await registry.put(names.desired(ids.worker), wish("d1", "prefill"), { ttlMs: 600_000 });
  await desk.clock.advance(20);
  assert.deepEqual(desk.loads.at(-1)?.flip, { id: "d1", to: "prefill", state: "flipping" });
  assert.equal(desk.loads.at(-1)?.role, "both");
  assert.equal(await desk.generate(2), "accepted", "a late one of a router that had not heard");
  assert.equal(await desk.generate(3, { leg: 1 }), "accepted", "a prompt for another worker");
  await desk.clock.advance(1_500);
  assert.equal(await desk.generate(4), "draining");
  assert.equal(await desk.generate(5, { leg: 1 }), "accepted");
  await desk.clock.advance(20_000);
  for (const stream of [1, 2, 3, 5]) {
    assert.deepEqual(desk.of(stream).ends.map((end) => end.reason), ["length"], `${stream}`);
  }
  assert.equal(desk.loads.at(-1)?.role, "prefill");
  assert.equal(desk.loads.at(-1)?.flip?.state, "done");
  assert.ok(desk.loads.at(-1)!.cachedBlocks > 0, "its KV is still there");
  assert.equal((await cardOf(desk)).role, "prefill");
  assert.match(await desk.metrics.text(), /flips_total{result="done",to="prefill"} 1/);
  await registry.remove(names.desired(ids.worker));
  await desk.clock.advance(500);
  assert.equal(desk.loads.at(-1)?.role, "prefill", "a key that is gone leaves the role as it is");
});

Deno.test("WorkerShell goes back where its work does not drain in time, and where the wish is taken back", async () => {
  await using desk = await ShellDesk.sim();
  using _renewing = desk.renewing();
  const { registry } = desk.host.connect();
  await desk.generate(1, { stop: { ...long.stop, maxTokens: 900 } });
  await registry.put(names.desired(ids.worker), wish("d1", "prefill", 2_000));
  await desk.clock.advance(2_100);
  assert.equal(desk.loads.at(-1)?.flip?.state, "gave-up");
  assert.match(desk.loads.at(-1)?.flip?.reason ?? "", /1 streams still ran after 2 s/);
  assert.equal(desk.loads.at(-1)?.role, "both");
  assert.equal(await desk.generate(2), "accepted");
  await registry.put(names.desired(ids.worker), wish("d2", "prefill", 60_000));
  await desk.clock.advance(100);
  assert.equal(desk.loads.at(-1)?.flip?.state, "flipping");
  await registry.remove(names.desired(ids.worker));
  await desk.clock.advance(100);
  assert.match(desk.loads.at(-1)?.flip?.reason ?? "", /taken back/);
  assert.equal((await cardOf(desk)).role, "both");
});

Deno.test("WorkerShell changes its role on request and answers how that stands", async () => {
  await using desk = await ShellDesk.sim();
  using _renewing = desk.renewing();
  const ask = async (id: string, role: DesiredRecord["role"]) => {
    const reply = decode("roleFlip", await desk.control({ op: "role", id, role, reason: "t" }));
    assert.ok(reply.ok);
    return reply.value.state;
  };
  assert.equal(await ask("a", "decode"), "done");
  await desk.generate(1, long);
  assert.equal(await ask("b", "prefill"), "flipping");
  assert.equal(await ask("b", "prefill"), "flipping");
  assert.equal(await ask("c", "decode"), "done", "back before it was over");
  assert.equal(desk.loads.at(-1)?.role, "decode");
  desk.tell({ op: "cancel", ...keyOf(1) });
  await desk.clock.advance(100);
  assert.equal(await ask("d", "prefill"), "done");
});

Deno.test("WorkerShell gives up every wish for another role once it shuts down, and says so", async () => {
  await using desk = await ShellDesk.sim();
  using _renewing = desk.renewing();
  const { registry } = desk.host.connect();
  await desk.generate(1, { stop: { ...long.stop, maxTokens: 900 } });
  await registry.put(names.desired(ids.worker), wish("d1", "prefill"), { ttlMs: 600_000 });
  await desk.clock.advance(100);
  assert.equal(desk.loads.at(-1)?.flip?.state, "flipping");
  const stop = new AbortController();
  const drained = desk.shell.drain(stop.signal);
  const ask = { op: "role", id: "d2", role: "decode", reason: "a test" } as const;
  const flip = decode("roleFlip", await desk.control(ask));
  assert.ok(flip.ok);
  assert.deepEqual([flip.value.id, flip.value.state], ["d2", "gave-up"]);
  assert.match(flip.value.reason ?? "", /shuts down/);
  await registry.put(names.desired(ids.worker), wish("d3", "prefill"), { ttlMs: 600_000 });
  await desk.clock.advance(100);
  const { role, flip: told } = desk.loads.at(-1)!;
  assert.deepEqual([role, told?.id, told?.state], ["both", "d3", "gave-up"]);
  stop.abort();
  await desk.clock.advance(1_000);
  await drained;
});
