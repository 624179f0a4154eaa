import assert from "node:assert/strict";
import { encodeRecord, keys, modelHashOf } from "@pixii/wire";
import type { ModelCard, Role, ScaleRecord } from "@pixii/wire";
import { recordingLog } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { FleetWorker } from "./fleet.ts";
import { ScaleFollower } from "./scale_follower.ts";
import type { Program } from "./service_args.ts";

const names = keys("default");

/** A fleet without processes. */
class FakeFleet {
  readonly members: FleetWorker[] = [];
  readonly started: string[] = [];
  readonly stopped: string[] = [];
  readonly giveUp = new Map<string, () => void>();
  refuses = false;
  #ids = 1;

  workers(): readonly FleetWorker[] {
    return this.members;
  }

  startMore({ label, model, role }: Program, onGiveUp: () => void): void {
    if (this.refuses) throw new Error("no memory");
    const instance = (this.#ids++).toString(16).padStart(16, "0");
    this.members.push({ label, model: model!, role: role!, instance, isLeaving: false });
    this.started.push(label);
    this.giveUp.set(label, () => {
      this.members.splice(this.members.findIndex((one) => one.label === label), 1);
      onGiveUp();
    });
  }

  leave(label: string): Promise<void> {
    this.stopped.push(label);
    this.members.splice(this.members.findIndex((one) => one.label === label), 1);
    return Promise.resolve();
  }
}

async function world() {
  const host = testHost();
  const fleet = new FakeFleet();
  const said: string[] = [];
  const changed = new Set<() => void>();
  const cards: ModelCard[] = [];
  const log = recordingLog();
  const follower = await ScaleFollower.open({
    ...{ registry: host.registry, namespace: "default", fleet, log },
    say: (line) => said.push(line),
    roster: {
      servers: (name) => cards.filter((card) => card.name === name),
      cardOf: (instance) => cards.find((card) => card.instance === instance),
      onChange: (listener) => {
        changed.add(listener);
        return { [Symbol.dispose]: () => void changed.delete(listener) };
      },
    },
    workerOf: (model, number, role: Role) =>
      model === "m"
        ? { service: "worker", label: `worker/m-${number}`, args: [], model, role }
        : undefined,
  });
  assert.ok(follower.ok);
  const put = (over: Partial<ScaleRecord>) => {
    const record: ScaleRecord = {
      ...{ id: "d1", model: "m", workers: 1, startRole: "both", stop: [], reason: "a test" },
      ...{ by: "p", ...over },
    };
    return host.registry.put(names.scale(modelHashOf(record.model)), encodeRecord("scale", record));
  };
  return {
    ...{ host, fleet, said, cards, put, log },
    change: () => changed.forEach((listener) => listener()),
    async [Symbol.asyncDispose]() {
      follower.value[Symbol.dispose]();
      await host[Symbol.asyncDispose]();
    },
  };
}

Deno.test("ScaleFollower starts and stops as records say, says so, and does nothing twice", async () => {
  await using all = await world();
  const { fleet, put, said, change } = all;
  await put({ workers: 2 });
  assert.deepEqual(fleet.started, ["worker/m-1", "worker/m-2"]);
  change();
  await put({ workers: 2 });
  assert.equal(fleet.started.length, 2);
  await put({ id: "d2", workers: 1, stop: [fleet.members[0].instance as never] });
  await put({ id: "d3", workers: 0 });
  assert.deepEqual(fleet.stopped, ["worker/m-1", "worker/m-2"]);
  await put({ id: "d4", workers: 1, startRole: "decode" });
  assert.deepEqual(fleet.started.slice(2), ["worker/m-3"], "a name is not given twice");
  assert.deepEqual(said, [
    "scale     m: starts worker/m-1 (both), starts worker/m-2 (both); a test",
    "scale     m: stops worker/m-1; a test",
    "scale     m: stops worker/m-2; a test",
    "scale     m: starts worker/m-3 (decode); a test",
  ]);
});

Deno.test("ScaleFollower goes on with what runs where the key is gone", async () => {
  await using all = await world();
  const { fleet, put, host, change } = all;
  await put({ workers: 1 });
  await host.registry.remove(names.scale(modelHashOf("m")));
  fleet.members.length = 0;
  change();
  assert.deepEqual([fleet.started.length, fleet.stopped], [1, []]);
});

Deno.test("ScaleFollower tries no worker again that was given up, until another decision asks for it", async () => {
  await using all = await world();
  const { fleet, put, said, change } = all;
  await put({ workers: 1 });
  fleet.giveUp.get("worker/m-1")!();
  change();
  await put({ workers: 1 });
  assert.equal(fleet.started.length, 1);
  assert.match(said.at(-1)!, /gives up worker\/m-1/);
  await put({ id: "d2", workers: 1 });
  assert.deepEqual(fleet.started, ["worker/m-1", "worker/m-2"]);
  fleet.refuses = true;
  await put({ id: "d3", workers: 3 });
  change();
  assert.equal(fleet.started.length, 2);
});

Deno.test("ScaleFollower counts workers of others and passes over models that are not its own", async () => {
  await using all = await world();
  const { fleet, put, cards, log } = all;
  cards.push({ name: "m", instance: "f".repeat(16), role: "both" } as ModelCard);
  await put({ workers: 2 });
  assert.equal(fleet.started.length, 1);
  await put({ model: "other", workers: 2 });
  assert.equal(fleet.started.length, 1);
  assert.ok(log.lines.some(({ message }) => /not served here/.test(message)));
});
