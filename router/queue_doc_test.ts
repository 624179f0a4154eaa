import assert from "node:assert/strict";
import { queueOptions, splitOptions } from "./queue_options.ts";

Deno.test("docs/queue.md names every option of the queue and of splitting, and every default of the queue", async () => {
  const text = await Deno.readTextFile(new URL("../docs/queue.md", import.meta.url));
  for (const path of [...Object.keys(queueOptions), ...Object.keys(splitOptions)]) {
    assert.ok(text.includes(`\`--${path.replaceAll(".", "-")}`), path);
  }
  const rows = new Map(
    Array.from(
      text.matchAll(/^\| `--(queue-\S+)` +\| (\S+) +\|/gm),
      ([, name, value]) => [name, value],
    ),
  );
  assert.equal(rows.size, Object.keys(queueOptions).length);
  const spelled: Record<string, number | boolean> = {
    ...{ "1m": 60_000, "100ms": 100, "10s": 10_000, off: false },
  };
  for (const [path, { fallback }] of Object.entries(queueOptions)) {
    const told = rows.get(path.replaceAll(".", "-"))!;
    assert.equal(spelled[told] ?? Number(told), fallback, path);
  }
});
