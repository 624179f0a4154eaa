import assert from "node:assert/strict";
import { processStart } from "./process_identity.ts";
import { RunFolder } from "./run_folder.ts";
import { startWarden } from "./warden.ts";

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!await what()) await new Promise((done) => setTimeout(done, 20));
}

async function isGone(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

const moduleUrl = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);

Deno.test("startWarden() ends the servers and removes the folder of a launcher killed with -9", async () => {
  const parent = await Deno.makeTempDir();
  const server = new Deno.Command("sleep", { args: ["600"] }).spawn();
  const script = `${parent}/launcher.ts`;
  await Deno.writeTextFile(
    script,
    `import { RunFolder } from ${moduleUrl("run_folder.ts")};
     import { startWarden } from ${moduleUrl("warden.ts")};
     const folder = await RunFolder.open(${JSON.stringify(parent)});
     await folder.noteChild(${server.pid}, "server");
     startWarden(folder.path);
     console.log(folder.path);
     setInterval(() => {}, 1000);`,
  );
  const config = new URL("../deno.json", import.meta.url).pathname;
  const launcher = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--config", config, script],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = launcher.stdout.getReader();
  const folder = new TextDecoder().decode((await reader.read()).value).trim();
  assert.equal(await isGone(folder), false);
  launcher.kill("SIGKILL");
  await launcher.status;
  await reader.cancel();
  assert.equal((await server.status).signal, "SIGTERM");
  await until(() => isGone(folder));
  await Deno.remove(parent, { recursive: true });
});

Deno.test("startWarden() does nothing where the launcher ends by itself", async () => {
  const parent = await Deno.makeTempDir();
  const folder = await RunFolder.open(parent);
  const warden = startWarden(folder.path);
  assert.ok(warden);
  await warden[Symbol.asyncDispose]();
  assert.equal(await isGone(folder.path), false);
  assert.notEqual(await processStart(Deno.pid), undefined);
  await folder[Symbol.asyncDispose]();
  await Deno.remove(parent, { recursive: true });
});
