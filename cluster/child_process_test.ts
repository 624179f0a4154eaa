import assert from "node:assert/strict";
import { spawnChild } from "./child_process.ts";

function sh(script: string, lines: string[] = []) {
  return spawnChild({
    label: "sh",
    command: "sh",
    args: ["-c", script],
    line: (text) => void lines.push(text),
  });
}

Deno.test("spawnChild() passes on every line with its label and tells the child of its parent", async () => {
  const lines: string[] = [];
  const child = sh('echo one; echo "$PIXII_PARENT" >&2; printf last; exit 7', lines);
  assert.deepEqual(await child.ended, { code: 7, signal: null });
  assert.deepEqual(lines.sort(), ["sh | last", "sh | one", "sh | stdin"]);
});

Deno.test("spawnChild() signals a child, and one that is gone without an error", async () => {
  const child = sh("exec sleep 600");
  child.signal("SIGKILL");
  assert.equal((await child.ended).signal, "SIGKILL");
  child.signal("SIGTERM");
});

Deno.test("spawnChild() keeps the child's stdin open until the launcher ends", async () => {
  const folder = await Deno.makeTempDir();
  const script = `${folder}/launcher.ts`;
  await Deno.writeTextFile(
    script,
    `import { spawnChild } from ${
      JSON.stringify(new URL("child_process.ts", import.meta.url).href)
    };
     const child = spawnChild({ label: "c", command: "sh", line: () => {},
       args: ["-c", 'read line; echo end > "$0"', ${JSON.stringify(`${folder}/ended`)}] });
     console.log(child.pid);
     await child.ended;`,
  );
  const parent = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--config",
      new URL("../deno.json", import.meta.url).pathname,
      script,
    ],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = parent.stdout.getReader();
  await reader.read();
  assert.equal(fileText(`${folder}/ended`), undefined);
  parent.kill("SIGKILL");
  await parent.status;
  await reader.cancel();
  while (fileText(`${folder}/ended`) !== "end\n") await new Promise((done) => setTimeout(done, 10));
  await Deno.remove(folder, { recursive: true });
});

function fileText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
