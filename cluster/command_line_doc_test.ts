import assert from "node:assert/strict";
import { schemaTable } from "@pixii/runtime";
import { devSchema } from "./dev_config.ts";
import { profileSchema } from "./profile/profile_config.ts";

Deno.test("docs/command-line.md holds the table of the options as they are", async () => {
  const text = await Deno.readTextFile(new URL("../docs/command-line.md", import.meta.url));
  const words = (line: string) => line.replaceAll(/\s+/g, " ").replaceAll(/-{3,}/g, "---");
  const lines = new Set(text.split("\n").map(words));
  for (const schema of [devSchema, profileSchema]) {
    for (const line of schemaTable(schema).split("\n")) assert.ok(lines.has(words(line)), line);
  }
});
