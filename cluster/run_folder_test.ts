import assert from "node:assert/strict";
import { recordingLog, systemClock } from "@pixii/runtime";
import { processStart } from "./process_identity.ts";
import { RunFolder, sweepRunFolders } from "./run_folder.ts";

const clock = systemClock();

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Writes the folder that a killed launcher would have left. */
async function leaveBehind(parent: string, launcher: unknown, children: unknown): Promise<string> {
  const path = await Deno.makeTempDir({ dir: parent, prefix: "pixii-run-99999999-" });
  await Deno.writeTextFile(`${path}/owner.json`, JSON.stringify({ launcher, children }));
  await Deno.writeTextFile(`${path}/data`, "x");
  return path;
}

const dead = { pid: 99_999_999, start: "1" };

Deno.test("RunFolder is removed when disposed", async () => {
  const parent = await Deno.makeTempDir();
  const folder = await RunFolder.open(parent);
  await folder.noteChild(Deno.pid, "program");
  await folder.forgetChild(Deno.pid);
  const owner = JSON.parse(await Deno.readTextFile(`${folder.path}/owner.json`));
  assert.equal(owner.launcher.pid, Deno.pid);
  assert.deepEqual(owner.children, []);
  await folder[Symbol.asyncDispose]();
  assert.deepEqual([...Deno.readDirSync(parent)], []);
  await Deno.remove(parent);
});

Deno.test("sweepRunFolders() ends the children of a dead launcher and removes its folder", async () => {
  const parent = await Deno.makeTempDir();
  const child = new Deno.Command("sleep", { args: ["600"] }).spawn();
  const start = await processStart(child.pid);
  const path = await leaveBehind(parent, dead, [{ pid: child.pid, start }]);
  assert.equal(await sweepRunFolders(parent, clock, recordingLog()), 1);
  const status = await child.status;
  assert.equal(status.signal, "SIGTERM");
  assert.equal(await exists(path), false);
  await Deno.remove(parent);
});

Deno.test("sweepRunFolders() leaves a running launcher and processes of a reused id alone", async () => {
  const parent = await Deno.makeTempDir();
  const mine = await RunFolder.open(parent);
  const child = new Deno.Command("sleep", { args: ["600"] }).spawn();
  await leaveBehind(parent, dead, [{ pid: child.pid, start: "another" }]);
  assert.equal(await sweepRunFolders(parent, clock, recordingLog()), 1);
  assert.equal(await exists(mine.path), true);
  assert.notEqual(await processStart(child.pid), undefined);
  child.kill();
  await child.status;
  await mine[Symbol.asyncDispose]();
  await Deno.remove(parent);
});

Deno.test("sweepRunFolders() removes nothing that it cannot read", async () => {
  const parent = await Deno.makeTempDir();
  const odd = await leaveBehind(parent, { pid: 1 }, "none");
  await Deno.mkdir(`${parent}/other`);
  assert.equal(await sweepRunFolders(parent, clock, recordingLog()), 0);
  assert.equal(await exists(odd), true);
  const unfinished = await Deno.makeTempDir({ dir: parent, prefix: "pixii-run-99999999-" });
  assert.equal(await sweepRunFolders(parent, clock, recordingLog()), 1);
  assert.equal(await exists(unfinished), false);
  await Deno.remove(parent, { recursive: true });
});

Deno.test("processStart() is the same twice and undefined for a process that is gone", async () => {
  assert.equal(await processStart(Deno.pid), await processStart(Deno.pid));
  const child = new Deno.Command("true").spawn();
  await child.status;
  assert.equal(await processStart(child.pid), undefined);
});
