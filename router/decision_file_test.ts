import assert from "node:assert/strict";
import { readDecisionLine } from "@pixii/wire";
import type { DecisionLine } from "@pixii/wire";
import { createMetrics, recordingLog, VirtualClock } from "@pixii/runtime";
import { DecisionFile } from "./decision_file.ts";
import { routerMetrics } from "./metrics.ts";
import { batchOf, hashesOf, modelHash, routeOf, storedOf } from "./testing/samples.ts";
import { stateOf } from "./testing/state_of.ts";

/** A router's state whose decisions go to a file, under a virtual clock. */
async function open(options: { readonly maxBytes?: number; readonly path?: string } = {}) {
  const folder = await Deno.makeTempDir({ prefix: "pixii-decisions-" });
  const { maxBytes = 1e6, path = `${folder}/decisions.jsonl` } = options;
  const clock = new VirtualClock();
  const log = recordingLog();
  const metrics = createMetrics("router", {});
  const state = stateOf(2, { keptDecisions: 100 });
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 3), 1)] }), 5);
  const file = new DecisionFile({ clock, log, metrics: routerMetrics(metrics), path, maxBytes });
  state.decisions.listen(file);
  let number = 1;
  return {
    ...{ file, path, log, metrics },
    place() {
      const request = routeOf(number++);
      assert.ok(state.route(modelHash, request, { nowMs: 10, draw: () => 0.5 }).ok);
      const { requestId, attempt, leg } = request;
      return { requestId, attempt, leg };
    },
    entry: state.entry.bind(state),
    /** Writes all that waits. */
    async flushed() {
      const flushing = file.flush();
      let isDone = false;
      void flushing.then(() => isDone = true);
      while (!isDone) {
        await clock.advance(1);
        await Deno.stat(folder);
      }
    },
    async [Symbol.asyncDispose]() {
      await this.flushed();
      await file[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function linesOf(path: string): Promise<DecisionLine[]> {
  const text = await Deno.readTextFile(path);
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const read = readDecisionLine(line);
    assert.ok(read.ok, read.ok ? "" : read.error.message);
    return read.value;
  });
}

Deno.test("a decision file has a line per decision, and one for what came of those that were written", async () => {
  await using world = await open();
  const early = world.place();
  await world.flushed();
  const late = world.place();
  for (const key of [early, late]) {
    world.entry({ op: "first-token", ...key, cachedTokens: 48 }, 30);
    world.entry({ op: "complete", ...key, outputTokens: 4, reason: "stop" }, 50);
  }
  await world.flushed();
  const [first, second, third] = await linesOf(world.path);
  assert.ok("record" in first && first.outcome === undefined);
  const came = { firstTokenMs: 20, cachedTokens: 48, endMs: 40, outputTokens: 4, reason: "stop" };
  const outcomes = [second, third].map(({ outcome }) => outcome);
  assert.deepEqual(outcomes.toSorted((a, b) => a!.requestId < b!.requestId ? -1 : 1), [
    { ...early, ...came },
    { ...late, ...came },
  ]);
  assert.match(await world.metrics.text(), /decisions_file_total\{.*written.*\} 3/);
});

Deno.test("a decision file is rotated once over its size: two parts and no more", async () => {
  await using world = await open({ maxBytes: 20_000 });
  for (let i = 0; i < 80; i++) world.place();
  await world.flushed();
  const sizes = await Promise.all([world.path, `${world.path}.1`].map((path) => Deno.stat(path)));
  assert.ok(sizes.every(({ size }) => size > 0 && size <= 20_000), JSON.stringify(sizes));
  const names = [...Deno.readDirSync(world.path.slice(0, world.path.lastIndexOf("/")))];
  assert.equal(names.length, 2);
  const kept = [...await linesOf(`${world.path}.1`), ...await linesOf(world.path)];
  assert.ok(kept.length > 4 && kept.length < 80);
});

Deno.test("a decision file that cannot be written is told of once, and routing goes on", async () => {
  await using world = await open({ path: "/nowhere/at/all/decisions.jsonl" });
  for (let i = 0; i < 40; i++) world.place();
  await world.flushed();
  world.place();
  await world.flushed();
  const errors = world.log.lines.filter(({ level }) => level === "error");
  assert.equal(errors.length, 1);
  assert.equal(errors[0].fields.path, "/nowhere/at/all/decisions.jsonl");
  assert.match(await world.metrics.text(), /decisions_file_total\{.*failed.*\} 41/);
});
