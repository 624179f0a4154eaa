import assert from "node:assert/strict";
import { hashProbe } from "@pixii/wire";
import { seededChance } from "@pixii/runtime";
import { cardOf, hashesOf } from "./testing/samples.ts";
import { RouterWorld } from "./testing/router_world.ts";

const often = ["--audit-every", "1s", "--audit-sample", "4"];
const trustOf = (world: RouterWorld, rank = 0) => world.ranks()[rank].trust.sources.device.trust;

Deno.test("a worker that tells of what it does not hold is degraded, then off; it still gets work", async () => {
  await using world = await RouterWorld.open(...often);
  const worker = await world.worker(1);
  worker.pretend(hashesOf(1, 8));
  await world.clock.advance(1);
  assert.deepEqual(await world.placed({ blocks: 8 }), { worker: 1, device: 8 });
  await world.until(() => trustOf(world) === "degraded", "the first audit");
  assert.equal(worker.asked.audits, 1);
  await world.until(() => world.index().sources[0].state === "exact", "its snapshot");
  assert.equal(worker.asked.snapshots, 1);
  assert.deepEqual(await world.placed({ blocks: 8 }), { worker: 1, device: 4 });
  for (let i = 0; i < 40 && trustOf(world) !== "off"; i++) {
    await world.clock.advance(100);
    await world.ask({ blocks: 8 });
  }
  assert.equal(trustOf(world), "off");
  assert.deepEqual(await world.placed({ blocks: 8 }), { worker: 1, device: 0 });
  assert.equal(await world.metric(/^pixii_router_trust\{.*state="off"/), 1);
  assert.equal(await world.metric(/^pixii_router_trust_changes_total\{.*to="degraded"/), 1);
  assert.ok(await world.metric(/^pixii_router_audit_blocks_total\{.*result="gone"/) >= 12);
  const warnings = world.host.lines.filter((line) => line.level === "warn");
  assert.ok(warnings.some((line) => /no credit/.test(line.message)));
});

Deno.test("a worker whose snapshot is the truth is believed again after two clean audits", async () => {
  await using world = await RouterWorld.open(...often);
  const worker = await world.worker(1);
  worker.script.insists = false;
  worker.store(hashesOf(1, 4));
  worker.pretend(hashesOf(2, 4));
  await world.clock.advance(1);
  await world.ask({ seed: 2 });
  await world.until(() => trustOf(world) === "degraded", "the audit");
  await world.until(() => world.index().sources[0].state === "exact", "its snapshot");
  assert.equal(world.index().blocks, 4);
  assert.deepEqual(await world.placed({ seed: 1 }), { worker: 1, device: 2 });
  for (let i = 0; i < 40 && trustOf(world) !== "exact"; i++) {
    await world.clock.advance(100);
    await world.ask({ seed: 1 });
  }
  assert.deepEqual(await world.placed({ seed: 1 }), { worker: 1, device: 4 });
  assert.equal(await world.metric(/^pixii_router_audits_total\{.*result="mismatch"/), 1);
});

Deno.test("a worker that is off and seldom chosen is proven by what others are asked for", async () => {
  await using world = await RouterWorld.open(...often);
  const [liar, other] = [await world.worker(1), await world.worker(2)];
  liar.pretend(hashesOf(1, 4));
  await world.clock.advance(1);
  for (let i = 0; i < 80 && trustOf(world) !== "off"; i++) {
    await world.ask();
    await world.clock.advance(100);
  }
  assert.equal(trustOf(world), "off");
  other.store(hashesOf(1, 4));
  liar.store(hashesOf(1, 4));
  for (let i = 0; i < 200 && trustOf(world) !== "exact"; i++) {
    await world.ask();
    await world.clock.advance(100);
  }
  assert.equal(trustOf(world), "exact");
});

Deno.test("honest workers under churn never raise an alarm, whatever is in flight", async () => {
  let compared = 0;
  for (const seed of [1, 2, 3]) {
    const world = new RouterWorld(seed);
    await world.router("--audit-every", "300ms", "--audit-sample", "16");
    const chance = seededChance(seed);
    for (const number of [1, 2, 3]) await world.worker(number);
    for (let i = 0; i < 400; i++) {
      const worker = world.workers[chance.u32() % 3];
      const list = hashesOf(chance.u32() % 5, 1 + chance.u32() % 8);
      if (chance.float() < 0.55) worker.store(list);
      else worker.remove(list);
      worker.script.losesBatches = chance.float() < 0.05;
      if (chance.float() < 0.5) await world.ask({ seed: chance.u32() % 5, blocks: 8 });
      if (chance.float() < 0.7) await world.clock.advance(chance.u32() % 40);
    }
    for (const worker of world.workers) worker.script.losesBatches = false;
    await world.clock.advance(2_000);
    assert.equal(await world.metric(/^pixii_router_audits_total\{.*result="mismatch"/), 0);
    assert.equal(await world.metric(/^pixii_router_trust\{.*state="exact"/), 3);
    compared += await world.metric(/^pixii_router_audit_blocks_total\{.*result="held"/);
    await world[Symbol.asyncDispose]();
  }
  assert.ok(compared > 300, `only ${compared} blocks were compared`);
});

Deno.test("a worker that does not answer audits is believed, and that is counted", async () => {
  await using world = await RouterWorld.open(...often);
  const worker = await world.worker(1);
  worker.script.isSecretive = true;
  worker.store(hashesOf(1, 4));
  await world.clock.advance(1);
  await world.ask();
  await world.clock.advance(500);
  assert.equal(trustOf(world), "exact");
  assert.equal(await world.metric(/^pixii_router_audits_total\{.*result="unanswered"/), 1);
});

Deno.test("audits are few: one per worker and time, however many decisions there are", async () => {
  await using world = await RouterWorld.open("--audit-every", "10s");
  const worker = await world.worker(1);
  worker.store(hashesOf(1, 4));
  for (let i = 0; i < 300; i++) {
    await world.ask();
    await world.clock.advance(50);
  }
  assert.ok(worker.asked.audits >= 2 && worker.asked.audits <= 3, `${worker.asked.audits} audits`);
});

Deno.test("a worker that hashes in another way gets no credit from the start, and an alarm", async () => {
  await using world = await RouterWorld.open();
  const own = hashProbe(cardOf(1));
  const good = await world.worker(1, { hashProbe: own });
  const foreign = await world.worker(2, { hashProbe: own.toUpperCase() });
  for (const worker of [good, foreign]) worker.store(hashesOf(1, 4));
  await world.clock.advance(1);
  const [one, two] = world.ranks();
  assert.deepEqual([one.trust.hashes, two.trust.hashes], ["proven", "foreign"]);
  const { reply } = await world.ask({ hints: { allow: [foreign.card.instance] } });
  assert.ok(reply.kind === "decision" && reply.overlap.device === 0);
  assert.equal((await world.placed()).device, 4);
  assert.equal(await world.metric(/^pixii_router_hash_proofs\{.*proof="foreign"/), 1);
  assert.ok(world.host.lines.some((line) => /hashes blocks in another way/.test(line.message)));
});
